using Sallyport.Proof.Claims;
using Sallyport.Proof.Events;

namespace Sallyport.Proof.Report;

/// <summary>What an engineer would look at first, though the gate did what it should: what was tried, and when no gate ran.</summary>
internal sealed class Standouts(ClaimJudge judge)
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMinutes(1);

    private readonly Count _reusedRefresh = new();
    private readonly Count _reusedCode = new();
    private readonly Count _forged = new();
    private readonly Count _ofAnother = new();
    private readonly Count _unclean = new();
    private readonly ReuseStory _reuse = new(judge);
    private readonly KnownSources _sources = new();
    private string? _forger;
    private string? _intruder;
    private EventRef? _before;
    private (EventRef Last, EventRef Next, TimeSpan Length)? _longestPause;
    private long _pauses;

    /// <summary>For how long no gate ran, in all.</summary>
    public TimeSpan Paused { get; private set; }

    public void Add(long index, AuditEvent next)
    {
        _reuse.Add(index, next);
        _sources.Add(index, next);
        switch (next)
        {
            case TokenRefused { Reason: Reason.RefreshReused }:
                _reusedRefresh.Add(index, next);
                break;
            case TokenRefused { Reason: Reason.CodeReused }:
                _reusedCode.Add(index, next);
                break;
            case AccessRefused { Reason: Reason.TokenForged }:
                _forged.Add(index, next);
                _forger = _sources.Find(next);
                break;
            case AccessRefused { Reason: Reason.SessionOfAnother }:
                _ofAnother.Add(index, next);
                _intruder = _sources.Find(next);
                break;
            case Started started:
                AddStart(index, started);
                break;
        }
        if (next is Started or Stopped or CheckpointSigned)
            _before = new(index, next.Time);
    }

    /// <summary>What to do about them, beside looking; null where nothing is.</summary>
    public string? NextStep() => _reuse.NextStep();

    public IReadOnlyList<string> Lines()
    {
        var lines = new List<string>();
        Add(_reusedRefresh, "a used refresh token was presented again, and its grant was revoked", $"Theft, or a client that keeps an old one: ask its user{_reuse.User(Reason.RefreshReused)}.{_reuse.Told(Reason.RefreshReused)}");
        Add(_reusedCode, "a used code was presented again, and what it had given was revoked", $"Somebody may have seen the code on its way.{_reuse.Told(Reason.CodeReused)}");
        Add(_forged, "a token was presented that this gate never made", $"Somebody guesses, or a client uses another server's.{From(_forged, _forger)}");
        Add(_ofAnother, "a session was asked for that is another's", $"Somebody may try ids of sessions.{From(_ofAnother, _intruder)}");
        if (_unclean.Total > 0)
            lines.Add($"{Refs(_unclean)}: the gate had not ended in order before it started. It was killed, or its machine went down.");
        if (_longestPause is var (last, next, length))
            lines.Add($"No gate ran {(_pauses == 1 ? "" : $"{_pauses.Grouped()} times, the longest time ")}between event {last.Number.Grouped()} and event {next.Number.Grouped()} ({length.Told()}): of that time this log says nothing.");
        return lines;

        void Add(Count count, string what, string meaning)
        {
            if (count.Total > 0)
                lines.Add($"{Refs(count)}: {what}. {meaning}");
        }
    }

    /// <summary>The time before it is known where the process before signed, or stopped: events between are at most a minute younger.</summary>
    private void AddStart(long index, Started started)
    {
        if (!started.AfterCleanStop)
            _unclean.Add(index, started);
        if (_before is not { } before || started.Time - before.Time!.Value <= s_pause)
            return;
        var length = started.Time - before.Time.Value;
        _pauses++;
        Paused += length;
        if (_longestPause is not { } longest || longest.Length < length)
            _longestPause = (before, new(index, started.Time), length);
    }

    private static string From(Count count, string? source) => source is null ? "" : $" {(count.Total == 1 ? "It" : "The newest")} came from where {source}.";

    private static string Refs(Count count) => count switch
    {
        { Total: 1, First: { } only } => $"Event {only.Number.Grouped()}",
        { First: { } first, Last: { } last } => $"{count.Total.Grouped()} times, from event {first.Number.Grouped()} to event {last.Number.Grouped()}",
        _ => "",
    };
}
