using Sallyport.Proof.Claims;
using Sallyport.Proof.Events;
using Sallyport.Proof.Findings;

namespace Sallyport.Proof.Report;

/// <summary>The findings of a log with their history, and how it is at the log's end.</summary>
internal sealed class RaisedFindings
{
    private const int MostShown = 50;
    private const int MostKept = 2_000;
    private const int MostNamed = 3;
    private const int MostUpstreams = 1_000;

    private static readonly TimeSpan s_now = TimeSpan.FromDays(1);

    /// <summary>Those of one rule and about the same, together; in the order in which they were raised last.</summary>
    private readonly OrderedDictionary<FindingRaised, Raised> _findings = new(new Alike());

    private readonly Dictionary<string, (long Index, HeartbeatAnswered Round)> _rounds = new(StringComparer.Ordinal);
    private bool _begins;
    private long _forgotten;

    public void Add(long index, AuditEvent next)
    {
        // A gate that starts may have other upstreams than the one before, which its first round tells.
        _begins |= next is Started { Configuration: not null };
        if (next is HeartbeatAnswered answered)
        {
            if (_begins)
                _rounds.Clear();
            _begins = false;
            if (_rounds.Count < MostUpstreams || _rounds.ContainsKey(answered.Audience))
                _rounds[answered.Audience] = (index, answered);
        }
        if (next is not FindingRaised finding)
            return;
        var raised = _findings.GetValueOrDefault(finding) ?? new(new(index, finding.Time));
        _findings.Remove(finding);
        if (_findings.Count >= MostKept)
        {
            _forgotten += _findings.GetAt(0).Value.Times;
            _findings.RemoveAt(0);
        }
        (raised.Newest, raised.Last) = (finding, new(index, finding.Time));
        raised.Times++;
        _findings.Add(finding, raised);
    }

    public IReadOnlyList<FindingStatus> Shown() => [.. _findings.Values.Reverse().Take(MostShown).Select(raised => raised.Status())];

    public long More => _forgotten + _findings.Values.Reverse().Skip(MostShown).Sum(raised => raised.Times);

    /// <param name="last">The log's newest event.</param>
    public HeartbeatStatus? Heartbeat(EventRef? last)
    {
        if (_rounds.Count == 0)
            return null;
        var (index, newest) = _rounds.Values.MaxBy(round => round.Index);
        var judged = _rounds.Values.SelectMany(round => HeartbeatRule.Judge(round.Round)).ToArray();
        var status = judged.Any(answer => answer.Status == ClaimStatus.Refuted) ? ClaimStatus.Refuted : judged.Any(answer => answer.Status == ClaimStatus.Unknown) ? ClaimStatus.Unknown : ClaimStatus.Proved;
        var fault = status == ClaimStatus.Proved ? null : judged.First(answer => answer.Status == status).Text;
        return new(new(index, newest.Time), status, fault?.ToPrintable(), last?.Time - newest.Time > TimeSpan.FromSeconds(2.0 * newest.Interval + 5));
    }

    /// <inheritdoc cref="StatusReport.Now"/>
    public string? Now(HeartbeatStatus? heartbeat, EventRef? last)
    {
        if (heartbeat is null && _findings.Count == 0)
            return null;
        var beat = heartbeat switch
        {
            null => "",
            { Fault: null } => $"the gate's own bad credentials were refused as they should be, {When(heartbeat.Round)}",
            { Status: ClaimStatus.Unknown, Fault: { } fault } => $"not all of the gate's own requests tell whether it refuses bad credentials, {When(heartbeat.Round)}: {fault}",
            { Fault: { } fault } => $"not all of the gate's own bad credentials were refused as they should be, {When(heartbeat.Round)}: {fault}",
        };
        var late = heartbeat is { IsLate: true } ? $", and no later round is in the log, which goes on for {(last!.Time!.Value - heartbeat.Round.Time!.Value).Told()}" : "";
        var standing = _findings.Values.Where(raised => last?.Time - raised.Last.Time < s_now).ToArray();
        var named = standing.Reverse().Select(raised => $"{raised.Newest!.Rule.Word()} (event {raised.Last.Number.Grouped()})").ToArray();
        var found = standing.Length == 0 ? "No finding stands from its last 24 hours." : $"From its last 24 hours {(standing.Length == 1 ? "a finding stands" : $"{((long)standing.Length).Grouped()} findings stand")}: {named.Listed(MostNamed)}.";
        return beat.Length == 0 ? $"At the end of this log: {char.ToLowerInvariant(found[0])}{found[1..]}" : $"At the end of this log: {beat}{late}. {found}";
    }

    private static string When(EventRef round) => $"{round.Time!.Value.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture)} (event {round.Number.Grouped()})";

    private sealed class Raised(EventRef first)
    {
        public EventRef Last { get; set; } = new(0, null);
        public FindingRaised? Newest { get; set; }
        public long Times { get; set; }

        public FindingStatus Status() => new(
            Newest!.Rule.Word(), FindingWords.What(Newest), FindingWords.Of(Newest).ToPrintable(), FindingWords.Counted(Newest), FindingWords.Advice(Newest).ToPrintable(), Times, first, Last,
            new(Newest.Count, Newest.Threshold, Newest.Seconds, Newest.First, Newest.Last));
    }

    private sealed class Alike : IEqualityComparer<FindingRaised>
    {
        public bool Equals(FindingRaised? x, FindingRaised? y) => x is not null && y is not null && FindingRules.AreAlike(x, y);

        public int GetHashCode(FindingRaised finding) => HashCode.Combine(finding.Rule, finding.Client, finding.Subject, finding.Grant, finding.Name, finding.Source);
    }
}
