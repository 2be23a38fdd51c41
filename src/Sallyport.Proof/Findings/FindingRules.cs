using Sallyport.Proof.Events;

namespace Sallyport.Proof.Findings;

/// <summary>
/// The rules over the events of a log, in one pass, with time taken from the events and memory that has bounds. Give it each event in order, the
/// findings that stand in the log among them.
/// </summary>
/// <remarks>
///     event ▶ [1 what time it is] ▶ [2 a finding that stands: not again for a while] ▶ [3 each rule] ▶ [4 what was not raised lately]
///
/// What the gate does to itself (<see cref="HeartbeatAnswered"/>) is nobody's doing, and no rule looks at it.
/// </remarks>
public sealed class FindingRules
{
    private static readonly FindingRule[] s_all = Enum.GetValues<FindingRule>();

    /// <summary>More than all rules together can raise while the longest rest lasts.</summary>
    private static readonly int s_mostResting = 2 * s_all.Length * Thresholds.MostPerHour * (int)Thresholds.LongRest.TotalHours;

    private readonly Func<string, string?> _networkOf;
    private readonly Dictionary<About, DateTimeOffset> _raised = [];
    private readonly Queue<DateTimeOffset>[] _lately = [.. s_all.Select(_ => new Queue<DateTimeOffset>())];
    private readonly List<FindingRaised> _found = [];
    private IFindingRule[] _rules;
    private DateTimeOffset _now = DateTimeOffset.MinValue;
    private long _recovered;

    /// <param name="networkOf">The network that the commitment to an address stands for; null where that cannot be known.</param>
    public FindingRules(Func<string, string?> networkOf) => (_networkOf, _rules) = (networkOf, NewRules(networkOf));

    /// <summary>The longest that any of them looks back: who begins in the middle of a log begins so long before its end.</summary>
    public static TimeSpan LooksBack => Thresholds.Longest;

    /// <summary>Takes the next event.</summary>
    /// <returns>What it makes a finding of, without ids. The list is good until the next call.</returns>
    public IReadOnlyList<FindingRaised> Observe(long index, AuditEvent next)
    {
        _found.Clear();

        // 1. Events are stamped when they are made, which is not quite their order; those that a start recovers, by the process before.
        var isRecovered = _recovered > 0;
        _recovered = next is Started started ? started.Recovered : Math.Max(0, _recovered - 1);
        if (next.Time > _now)
            _now = next.Time;
        else if (!isRecovered && _now - next.Time > Thresholds.ClockNoise)
            (_now, _rules) = (next.Time, NewRules(_networkOf));

        // 2. It stands already.
        if (next is FindingRaised standing)
        {
            var about = About.Of(standing);
            if (!IsResting(standing.Rule, about))
                _lately[(int)standing.Rule].Enqueue(_now);
            _raised[about] = _now;
            return _found;
        }

        // A proxy may have kept back by what the gate knows its own requests.
        if (next is AccessRefused { Client: HeartbeatPrepared.Client })
            return _found;

        // 3. and 4.
        foreach (var rule in _rules)
            rule.Observe(new(index, next, _now, this));
        return _found;
    }

    /// <summary>Whether two findings are of the same rule, and about the same.</summary>
    public static bool AreAlike(FindingRaised one, FindingRaised other) => About.Of(one) == About.Of(other);

    private static IFindingRule[] NewRules(Func<string, string?> networkOf) =>
    [
        new RefusalFlood(), new Reuse(), new RegistrationFlood(), new DistantNetworks(networkOf), new SessionProbing(), new Growth(), new ExpiredReplay(), new BrokenFunnel(),
        new ConstantChallenge(),
    ];

    private void Raise(FindingRaised finding)
    {
        var about = About.Of(finding);
        if (IsResting(finding.Rule, about))
            return;
        var lately = _lately[(int)finding.Rule];
        while (lately.TryPeek(out var oldest) && (_now - oldest).Duration() >= Thresholds.ShortRest)
            lately.Dequeue();
        if (lately.Count >= Thresholds.MostPerHour)
            return;
        lately.Enqueue(_now);
        if (_raised.Count >= s_mostResting)
            Forget();
        _raised[about] = _now;
        _found.Add(finding with { Time = _now });
    }

    /// <summary>Whether it was raised lately, by these rules or by those of a process before.</summary>
    private bool IsResting(FindingRule rule, About about) => _raised.TryGetValue(about, out var before) && (_now - before).Duration() < RestOf(rule);

    private void Forget()
    {
        foreach (var (old, time) in _raised.Where(pair => (_now - pair.Value).Duration() >= Thresholds.LongRest).ToArray())
            _raised.Remove(old);
    }

    private static TimeSpan RestOf(FindingRule rule) => rule is FindingRule.RefusalFlood or FindingRule.RegistrationFlood or FindingRule.SessionProbing
        ? Thresholds.ShortRest
        : Thresholds.LongRest;

    /// <summary>An event, as a rule gets it.</summary>
    /// <param name="Now">Its time; but where it is a little before that of an event before it, that one's.</param>
    internal readonly record struct Step(long Index, AuditEvent Event, DateTimeOffset Now, FindingRules Rules)
    {
        /// <summary>Raises a finding, where it is none that was raised lately.</summary>
        public void Raise(FindingRule rule, Counted counted, long threshold, About about) => Rules.Raise(new()
        {
            Id = "",
            Rule = rule,
            Client = about.Client,
            Subject = about.Subject,
            Grant = about.Grant,
            Audience = about.Audience,
            Name = about.Name,
            Step = about.Step,
            Source = about.Source,
            Count = counted.Count,
            Threshold = threshold,
            Seconds = (long)counted.Length.TotalSeconds,
            First = counted.First,
            Last = counted.Last,
        });

        /// <summary>Raises what this one event shows.</summary>
        public void RaiseAtOnce(FindingRule rule, About about) => Raise(rule, new(1, Index, Index, TimeSpan.Zero), 1, about);
    }
}

/// <summary>What a finding is about.</summary>
internal readonly record struct About(
    string? Client = null, string? Subject = null, string? Grant = null, string? Audience = null, string? Name = null, string? Step = null, string? Source = null)
{
    private FindingRule Rule { get; init; }

    public static About Of(FindingRaised finding) =>
        new(finding.Client, finding.Subject, finding.Grant, finding.Audience, finding.Name, finding.Step, finding.Source) { Rule = finding.Rule };
}

/// <summary>A rule: it is given every event, and raises what it finds.</summary>
internal interface IFindingRule
{
    void Observe(in FindingRules.Step step);
}
