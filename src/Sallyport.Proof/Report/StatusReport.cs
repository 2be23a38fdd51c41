using System.Globalization;
using System.Text.Json.Serialization;
using Sallyport.Proof.Claims;
using Sallyport.Proof.Events;

namespace Sallyport.Proof.Report;

/// <summary>What a report is about. Claims are decided over the whole log all the same: what came before a span is what it rests on.</summary>
public sealed record ReportScope
{
    public DateTimeOffset? Since { get; init; }
    public DateTimeOffset? Until { get; init; }
    /// <summary>Events that name this client only.</summary>
    public string? Client { get; init; }
    /// <summary>Events that name this user's id only.</summary>
    public string? Subject { get; init; }

    [JsonIgnore]
    public bool IsOpen => this == new ReportScope();
}

/// <summary>What a report was made of.</summary>
public enum ReportSource
{
    /// <summary>A log of Sallyport's: events, which <c>audit explain</c> opens by their numbers.</summary>
    Sallyport,

    /// <summary>Access logs of some other server's: lines, numbered from 1 through all the files.</summary>
    AccessLog,
}

/// <summary>An event, or a line, as a report points to it.</summary>
/// <param name="Time">Null where a line has none.</param>
public sealed record EventRef(long Number, DateTimeOffset? Time);

/// <summary>Events, or lines, that were counted, with the first and the last of them.</summary>
public sealed class Count
{
    private (long Number, DateTimeOffset? Time) _last;

    public long Total { get; private set; }
    public EventRef? First { get; private set; }
    public EventRef? Last => Total > 0 ? new(_last.Number, _last.Time) : null;

    /// <summary>Where they are, in numbers of what they are; empty where there are none.</summary>
    internal string Places(string noun) => Total switch
    {
        0 => "",
        1 => string.Create(CultureInfo.InvariantCulture, $"{noun} {First!.Number}"),
        2 => string.Create(CultureInfo.InvariantCulture, $"{noun}s {First!.Number} and {_last.Number}"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{noun}s {First!.Number} to {_last.Number}"),
    };

    internal void Add(long index, AuditEvent counted) => Add(index, counted.Time);

    internal void Add(long index, AuditEvent counted, int times)
    {
        if (times == 0)
            return;
        Add(index, counted);
        Total += times - 1;
    }

    internal void Add(long number, DateTimeOffset? time)
    {
        Total++;
        _last = (number, time);
        First ??= new(number, time);
    }

    internal static Count Sum(IEnumerable<Count> counts)
    {
        var sum = new Count();
        foreach (var count in counts.Where(count => count.Total > 0))
        {
            if (sum.First is null || count.First!.Number < sum.First.Number)
                sum.First = count.First;
            if (sum.Total == 0 || count._last.Number > sum._last.Number)
                sum._last = count._last;
            sum.Total += count.Total;
        }
        return sum;
    }
}

/// <summary>How a part of the system is.</summary>
public enum ComponentStatus
{
    /// <summary>It was used, and nothing contradicts it.</summary>
    Working,

    /// <summary>It was used, and nothing contradicts it; but not everywhere.</summary>
    Partly,

    /// <summary>Lines of an access log show it: nothing contradicts it, and nothing proves it.</summary>
    Seen,

    /// <summary>The log has nothing of it.</summary>
    NoEvidence,

    /// <summary>Events contradict it.</summary>
    Contradicted,
}

/// <summary>One row of the table of components.</summary>
/// <param name="Done">What succeeded.</param>
/// <param name="Refused">What was turned away.</param>
/// <param name="Note">What is to be said of some of it, behind where it is; null where nothing is.</param>
public sealed record Component(string Name, ComponentStatus Status, Count Done, Count Refused, string Meaning, string? Note = null);

/// <summary>How far a client has come, and how often it took each step.</summary>
public sealed record ClientStatus(
    string Client, string? Name, Count Registrations, Count Authorizations, Count Consents, Count Codes, Count Tokens, Count Refreshes,
    Count Accesses, Count ToolCalls, Count Sessions, IReadOnlyList<Tallied> Tools, IReadOnlyList<Tallied> Refusals, string Stage, string? Stopped);

/// <summary>Something with how often it was there.</summary>
public sealed record Tallied(string What, long Times);

/// <summary>What happened at one way in: allowed against refused.</summary>
/// <param name="Path">The path, behind the method: that one is refused says nothing about another.</param>
/// <param name="OwnRefused">How many requests of the gate's own were refused, beside those of others.</param>
public sealed record EndpointStatus(string Path, long Allowed, long Refused, IReadOnlyList<Tallied> Reasons, long OwnRefused = 0);

/// <summary>What happened in a stretch of time.</summary>
public sealed record TimeBucket(DateTimeOffset From, long Allowed, long Refused);

/// <summary>One step of a way that was followed through an access log.</summary>
/// <param name="Line">The first line that shows it.</param>
/// <param name="TiedBy">What ties it to the steps before: a value that both lines have, or nothing better than their order.</param>
public sealed record FlowStep(string What, long Line, string TiedBy);

/// <summary>How one side of security stands.</summary>
public sealed record SecurityArea(string Area, ComponentStatus Status, string Evidence);

/// <summary>A fear, and what the log says to it.</summary>
public sealed record Answer(string Fear, string Reply);

/// <summary>What a rule found, and how often.</summary>
/// <param name="Rule">As the log has it.</param>
/// <param name="What">In words; likewise <paramref name="Of"/>, <paramref name="Counted"/> and <paramref name="Advice"/>.</param>
/// <param name="Times">How often it was raised of the same.</param>
/// <param name="Newest">What it counted then, from which event to which, in how many seconds, and from how many on it is a finding.</param>
public sealed record FindingStatus(
    string Rule, string What, string Of, string Counted, string Advice, long Times, EventRef FirstRaised, EventRef LastRaised, FindingCount Newest);

/// <summary>What a finding counted.</summary>
public sealed record FindingCount(long Count, long Threshold, long Seconds, long First, long Last);

/// <summary>The newest round of the gate's own requests.</summary>
/// <param name="Status">As its worst answer: refuted where one was let in, or judged as it must not be; unknown where one does not tell.</param>
/// <param name="Fault">What was not as it should be; null where all was.</param>
/// <param name="IsLate">Whether the next one should have come before the log's end.</param>
public sealed record HeartbeatStatus(EventRef Round, ClaimStatus Status, string? Fault, bool IsLate);

/// <summary>Whether the gate is being bypassed, and all that it rests on.</summary>
public sealed record StatusReport
{
    public required ReportSource Source { get; init; }
    public required ReportScope Scope { get; init; }
    public required Judgement Judgement { get; init; }
    /// <summary>The verdict in words.</summary>
    public required string Headline { get; init; }
    /// <summary>Why, behind the verdict and a colon: for somebody who reads nothing else.</summary>
    public required string Sentence { get; init; }
    /// <summary>How strong it is: what was signed, by which key, against what it was held.</summary>
    public required IReadOnlyList<string> Strength { get; init; }
    /// <summary>The newest signed note of the log; null where none holds.</summary>
    public required string? Checkpoint { get; init; }
    public required IReadOnlyList<string> Limits { get; init; }
    public required EventRef? First { get; init; }
    public required EventRef? Last { get; init; }
    public required long Events { get; init; }
    /// <summary>For how long between them no gate ran.</summary>
    public TimeSpan Unwatched { get; init; }
    public required IReadOnlyList<Component> Components { get; init; }
    public required IReadOnlyList<ClientStatus> Clients { get; init; }
    /// <summary>Clients that are not in <see cref="Clients"/>, which has the busiest.</summary>
    public required long MoreClients { get; init; }
    public required IReadOnlyList<Answer> Answers { get; init; }
    /// <summary>Of an access log: what speaks for enforcement or against it, and proves neither.</summary>
    public IReadOnlyList<string> Hints { get; init; } = [];
    /// <summary>What to look at, though it contradicts no claim.</summary>
    public IReadOnlyList<string> Standouts { get; init; } = [];
    /// <summary>How it is at the log's end: the gate's own requests, and the findings of its last day. Null where it has neither.</summary>
    public string? Now { get; init; }
    /// <summary>Null where there is none.</summary>
    public HeartbeatStatus? Heartbeat { get; init; }
    /// <summary>What rules over the events found, the newest first. They contradict no claim.</summary>
    public IReadOnlyList<FindingStatus> Findings { get; init; } = [];
    /// <summary>Findings that are not in <see cref="Findings"/>.</summary>
    public long MoreFindings { get; init; }
    public required IReadOnlyList<EndpointStatus> Endpoints { get; init; }
    public required IReadOnlyList<SecurityArea> Security { get; init; }
    public required IReadOnlyList<Tallied> Reasons { get; init; }
    /// <summary>The first event that contradicts a claim, where it is somebody's.</summary>
    public Offence? Offence { get; init; }
    /// <summary>That of the offence or, where there is none, the newest tool call's, or the newest access's.</summary>
    public required AccessChain? Sample { get; init; }
    /// <summary>Of an access log: the way that was followed furthest, from a registration to a tool call.</summary>
    public IReadOnlyList<FlowStep> Flow { get; init; } = [];
    public required IReadOnlyList<TimeBucket> Timeline { get; init; }
    public required TimeSpan BucketWidth { get; init; }
    public required IReadOnlyList<string> NextSteps { get; init; }
}
