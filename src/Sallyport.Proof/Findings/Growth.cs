using Sallyport.Proof.Events;

namespace Sallyport.Proof.Findings;

/// <summary>
/// One client's calls of tools, or one tool's, in an hour that are many times those of the busiest hour of the week before: so that neither mornings nor Mondays are any. Who has not been
/// known for a week has nothing to be held against.
/// </summary>
internal sealed class Growth : IFindingRule
{
    private readonly Recent<string, Track> _clients = new(Thresholds.Remembered);
    private readonly Recent<(string, string), Track> _tools = new(Thresholds.Remembered);

    public void Observe(in FindingRules.Step step)
    {
        if (step.Event is not AccessAllowed { Method: AccessAllowed.ToolCall } call)
            return;
        if (_clients.Of(call.Client).Add(step.Now, step.Index) is var (counted, threshold))
            step.Raise(FindingRule.ClientGrowth, counted, threshold, new(Client: call.Client));
        if (call.Name is { } tool && _tools.Of((call.Audience, tool)).Add(step.Now, step.Index) is var (ofTool, most))
            step.Raise(FindingRule.ToolGrowth, ofTool, most, new(Audience: call.Audience, Name: tool));
    }

    private sealed class Track
    {
        /// <summary>The busiest hour of each day; today's has its place again when a week is over.</summary>
        private readonly (long Day, long Calls)[] _busiest = new (long, long)[Thresholds.GrowthDays + 1];

        private DateTimeOffset? _known;
        private long _hour;
        private long _calls;
        private (DateTimeOffset Time, long Index) _first;

        public (Counted Counted, long Threshold)? Add(DateTimeOffset now, long index)
        {
            _known ??= now;
            var hour = now.UtcTicks / TimeSpan.TicksPerHour;
            if (hour != _hour)
            {
                Note(_hour / 24, _calls);
                (_hour, _calls, _first) = (hour, 0, (now, index));
            }
            _calls++;
            if (_calls < Thresholds.GrowthFrom || now - _known < TimeSpan.FromDays(Thresholds.GrowthDays))
                return null;
            long threshold = Thresholds.GrowthFrom;
            foreach (var (day, calls) in _busiest)
            {
                if (day >= hour / 24 - Thresholds.GrowthDays)
                    threshold = Math.Max(threshold, Thresholds.Growth * calls);
            }
            return _calls < threshold ? null : (new(_calls, _first.Index, index, now - _first.Time), threshold);
        }

        private void Note(long day, long calls)
        {
            ref var busiest = ref _busiest[day % _busiest.Length];
            busiest = (day, busiest.Day == day ? Math.Max(busiest.Calls, calls) : calls);
        }
    }
}
