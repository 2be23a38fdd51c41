using System.Globalization;
using Sallyport.Proof.Claims;

namespace Sallyport.Proof.Report;

/// <summary>A report as a document: the same blocks for every format.</summary>
public static class ReportComposer
{
    private const int MostFunnels = 8;
    private const int MostFindings = 10;

    private static readonly string[] s_titles =
    [
        "Every access let in was rightly let in", "Every token traces back to a consent, a user and a client", "Every session was used by those that opened it",
        "Each code and each refresh token had one successor at most", "Every recorded request without a valid token was refused",
        "Every message has its access, and every access its outcome", "The log is whole, up to its newest checkpoint",
    ];

    public static IReadOnlyList<Block> Compose(StatusReport report)
    {
        var blocks = new List<Block>
        {
            new Heading(1, "Is it being bypassed?"),
            new Paragraph($"{report.Headline}: {report.Sentence}", StandingOf(report.Judgement.Verdict)),
        };
        if (report.Now is { } now)
            blocks.Add(new Paragraph(now));
        blocks.Add(new Paragraph(Extent(report)));
        if (report.Offence is { } offence)
            blocks.Add(new Paragraph(Told(offence)));
        if (report.Hints.Count > 0)
        {
            blocks.Add(new Heading(2, "What the lines suggest, and do not prove"));
            blocks.Add(new Items(report.Hints));
        }
        blocks.AddRange(
        [
            new Heading(2, "The components"),
            Components(report),
            new Heading(2, "The answers"),
            new Grid(["Somebody says", "The log says"], [.. report.Answers.Select(answer => (IReadOnlyList<string>)[answer.Fear, answer.Reply])], []),
        ]);
        if (report.Standouts.Count > 0)
        {
            blocks.Add(new Heading(2, "What stands out"));
            blocks.Add(new Items(report.Standouts));
        }
        if (report.Findings.Count > 0)
            AddFindings(blocks, report);
        if (report.NextSteps.Count > 0)
        {
            blocks.Add(new Heading(2, "What to do next"));
            blocks.Add(new Items(report.NextSteps));
        }
        if (report.Sample is { } sample)
            AddSample(blocks, sample, report.Offence?.Chain is not null);
        if (report.Flow.Count > 0)
            AddFlow(blocks, report.Flow);
        AddClients(blocks, report);
        AddEnforcement(blocks, report);
        blocks.Add(new Heading(2, "Security in short"));
        blocks.Add(new Grid(["Area", "Status", "Evidence"], [.. report.Security.Select(row => (IReadOnlyList<string>)[row.Area, WordOf(row.Status, "protected"), row.Evidence])], []));
        AddClaims(blocks, report);
        blocks.Add(new Heading(2, "How strong this is"));
        blocks.Add(new Items(report.Strength));
        if (report.Checkpoint is { } checkpoint)
        {
            blocks.Add(new Paragraph("The newest checkpoint. Kept elsewhere, it shows whether a later copy of this log has lost or changed anything:"));
            blocks.Add(new Verbatim(NoteText(checkpoint)));
        }
        blocks.Add(new Heading(2, report.Source == ReportSource.AccessLog ? "What no access log can show" : "What no log can show"));
        blocks.Add(new Items(report.Limits));
        return blocks;
    }

    private static Standing StandingOf(Verdict verdict) => verdict switch
    {
        Verdict.Enforced => Standing.Good,
        Verdict.NotProven => Standing.Doubtful,
        _ => Standing.Bad,
    };

    private static string Extent(StatusReport report)
    {
        if (report is not { First: { } first, Last: { } last })
            return report.Source == ReportSource.AccessLog ? "No line was read." : "No event is in what was asked about.";
        var scope = report.Scope;
        var about = string.Concat(scope.Client is { } client ? $" of client {client.ToPrintable()}" : "", scope.Subject is { } subject ? $" of user {subject.ToPrintable()}" : "");
        var whole = scope.IsOpen ? "" : " The claims were decided over the whole log.";
        var span = first.Time is { } from && last.Time is { } to
            ? $", from {Time(from)} ({Noun(report)} {N(first.Number)}) to {Time(to)} ({Noun(report)} {N(last.Number)}).{Unwatched(report.Unwatched, to - from)}"
            : ", none of which has a time.";
        return $"{N(report.Events)} {Noun(report)}s{about}{span}{whole}";
    }

    private static string Unwatched(TimeSpan part, TimeSpan whole) => part == TimeSpan.Zero ? "" : $" For {part.Told()} of these {whole.Told()} no gate ran.";

    private static string Told(Offence offence) => string.Join(' ', new[]
    {
        $"Event {offence.Event.Number}: {offence.What}, with a token of client {offence.Client}, for user {offence.Subject}{(offence.Grant is { } grant ? $", under grant {grant}" : "")}.".ToPrintable(),
        offence is { Chain: not null, IsToolCall: false } ? "It called no tool." : null,
        offence.Fate,
        offence.Started is { } started ? $"The gate had started less than a minute before (event {started.Number})." : null,
    }.Where(part => part is not null));

    private static Grid Components(StatusReport report)
    {
        var hasTimes = report.First?.Time is not null;
        return new(
            hasTimes ? ["Component", "Status", "Count", "Refused", "First", "Last", "Evidence"] : ["Component", "Status", "Count", "Refused", "Evidence"],
            [.. report.Components.Select(row => (IReadOnlyList<string>)
            [
                row.Name,
                WordOf(row.Status, "working"),
                N(row.Done.Total), N(row.Refused.Total),
                .. hasTimes ? [Time(row.Done.First?.Time), Time(row.Done.Last?.Time)] : Array.Empty<string>(),
                string.Join("; ", new[] { row.Done.Places(Noun(report)), row.Note }.Where(part => !string.IsNullOrEmpty(part))),
            ])],
            [2, 3]);
    }

    private static string Noun(StatusReport report) => report.Source == ReportSource.AccessLog ? "line" : "event";

    private static string WordOf(ComponentStatus status, string good) => status switch
    {
        ComponentStatus.Working => good,
        ComponentStatus.Partly => $"{good} where tried",
        ComponentStatus.Seen => "seen",
        ComponentStatus.Contradicted => "CONTRADICTED",
        _ => "no evidence in this log",
    };

    private static void AddFindings(List<Block> blocks, StatusReport report)
    {
        blocks.Add(new Heading(2, "Findings"));
        blocks.Add(new Grid(
            ["What", "Of", "Raised", "Counted", "What to do"],
            [.. report.Findings.Select(finding => (IReadOnlyList<string>)
            [
                finding.What,
                finding.Of,
                finding.Times == 1 ? $"{Time(finding.LastRaised.Time)} (event {N(finding.LastRaised.Number)})"
                    : $"{N(finding.Times)} times, from {Time(finding.FirstRaised.Time)} (event {N(finding.FirstRaised.Number)}) to {Time(finding.LastRaised.Time)} (event {N(finding.LastRaised.Number)})",
                $"{finding.Counted}: {(finding.Newest.First == finding.Newest.Last ? $"event {N(finding.Newest.Last)}" : $"events {N(finding.Newest.First)} to {N(finding.Newest.Last)}")}",
                finding.Advice,
            ])],
            []));
        if (report.MoreFindings > 0)
            blocks.Add(new Paragraph($"And {N(report.MoreFindings)} older ones: 'sallyport audit tail --type finding.raised'."));
        blocks.Add(new Paragraph("Findings are what somebody should look at. They contradict no claim, and each may be innocent: docs/findings.md says how."));
    }

    private static void AddSample(List<Block> blocks, AccessChain sample, bool isOffence)
    {
        blocks.Add(new Heading(2, isOffence ? "What the access that contradicts rests on" : "What one access rests on"));
        var refreshed = sample.Refreshes > 0 ? string.Create(CultureInfo.InvariantCulture, $", after {sample.Refreshes} refreshes") : "";
        var rests = sample.RestsOn is { } remembered ? $", which rests on consent {E(remembered)}" : "";
        blocks.Add(new Paragraph(
            $"access {E(sample.Access)} ← token {E(sample.Token)}{refreshed} ← code {E(sample.Code)} ← consent {E(sample.Consent)}{rests} ← sign-in {E(sample.SignIn)} and authorization {E(sample.Authorization)} ← registration {E(sample.Registration)}"));
        // In the order of the log: a sign-in may be older than what it is used for.
        const int Server = 3;
        SequenceStep[] steps =
        [
            new(0, 1, "registers", sample.Registration),
            new(0, 1, "asks for authorization", sample.Authorization),
            new(2, 1, "signs in", sample.SignIn),
            sample.RestsOn is null ? new(2, 1, "allows it", sample.Consent) : new(2, 1, "has allowed it, not to be asked again", sample.RestsOn),
            new(1, 0, "a code", sample.Code),
            new(0, 1, sample.Refreshes > 0 ? "refreshes" : "exchanges it, with PKCE", sample.Token),
            new(0, 1, "a request with the token", sample.Access),
            new(1, Server, "the request", null),
        ];
        blocks.Add(new SequencePicture(["Client", "Sallyport", "User", "Server"], [.. steps.OrderBy(step => step.To == Server ? long.MaxValue : step.Number ?? -1)], "event"));
        blocks.Add(new Paragraph($"'sallyport audit explain {sample.Access}' shows each of them, with its proof."));
    }

    /// <summary>The first line of a step is what ties it: where that is the order of lines only, it is said.</summary>
    private static void AddFlow(List<Block> blocks, IReadOnlyList<FlowStep> flow)
    {
        blocks.Add(new Heading(2, "One client's way, line by line"));
        blocks.Add(new Grid(["Step", "Line", "Tied to what came before by"], [.. flow.Select(step => (IReadOnlyList<string>)[step.What.ToPrintable(), N(step.Line), step.TiedBy])], [1]));
    }

    private static void AddClients(List<Block> blocks, StatusReport report)
    {
        if (report.Clients.Count == 0)
            return;
        blocks.Add(new Heading(2, "The clients"));
        blocks.Add(new Grid(
            ["Client", "Flow", "Tokens", "Accesses", report.Source == ReportSource.AccessLog ? "Handled" : "Tools", "Sessions", "Refused"],
            [.. report.Clients.Select(client => (IReadOnlyList<string>)
            [
                client.Name is { } name ? $"{name} ({client.Client})".ToPrintable() : client.Client.ToPrintable(),
                client.Stopped is { } stopped ? $"{client.Stage}; {stopped}" : client.Stage,
                report.Source == ReportSource.AccessLog ? N(client.Tokens.Total) : $"{N(client.Tokens.Total)} + {N(client.Refreshes.Total)} refreshed",
                N(client.Accesses.Total),
                client.Tools.Count == 0 ? "none called" : string.Join(", ", client.Tools.Select(tool => $"{tool.What.ToPrintable()} ×{N(tool.Times)}")),
                N(client.Sessions.Total),
                report.Source == ReportSource.AccessLog ? "not known" : client.Refusals.Count == 0 ? "none" : string.Join(", ", client.Refusals.Select(refusal => $"{refusal.What} ×{N(refusal.Times)}")),
            ])],
            [3, 5]));
        if (report.MoreClients > 0)
            blocks.Add(new Paragraph($"And {N(report.MoreClients)} less busy ones."));
        foreach (var client in report.Clients.Take(MostFunnels))
        {
            blocks.Add(new FunnelPicture((client.Name ?? client.Client).ToPrintable(),
            [
                new("registered", client.Registrations.Total), new("authorization", client.Authorizations.Total),
                // An access log has no line of a consent.
                .. report.Source == ReportSource.AccessLog ? Array.Empty<Tallied>() : [new("consent", client.Consents.Total)],
                new("code", client.Codes.Total),
                new("token", client.Tokens.Total), new("let in", client.Accesses.Total), new("tool call", client.ToolCalls.Total),
            ], client.Stopped));
        }
    }

    private static void AddEnforcement(List<Block> blocks, StatusReport report)
    {
        blocks.Add(new Heading(2, "Allowed against refused"));
        if (report.Timeline.Count > 0)
            blocks.Add(new TimelinePicture(report.Timeline, report.BucketWidth));
        if (report.Endpoints.Count == 0)
        {
            blocks.Add(new Paragraph("Nobody was let in, and nobody was refused."));
            return;
        }
        blocks.Add(new Grid(
            ["Way in", "Allowed", "Refused", "Why"],
            [.. report.Endpoints.Select(row => (IReadOnlyList<string>)[row.Path.ToPrintable(), N(row.Allowed), N(row.Refused), string.Join(", ", row.Reasons.Select(reason => $"{reason.What} ×{N(reason.Times)}").Concat(row.OwnRefused > 0 ? [$"the gate's own ×{N(row.OwnRefused)}"] : Array.Empty<string>()))])],
            [1, 2]));
    }

    private static void AddClaims(List<Block> blocks, StatusReport report)
    {
        blocks.Add(new Heading(2, "The claims"));
        blocks.Add(new Grid(
            ["Claim", "What it says", "Status", "Judged by"],
            [.. report.Judgement.Claims.Select(claim => (IReadOnlyList<string>)
            [
                claim.Claim.ToString(), s_titles[claim.Claim - Claim.C1],
                claim.Status switch { ClaimStatus.Proved => "proved", ClaimStatus.Refuted => $"REFUTED ×{N(claim.FindingCount)}", _ => $"unknown ×{N(claim.FindingCount)}" },
                $"{N(claim.Judged)} {Noun(report)}{(claim.Judged == 1 ? "" : "s")}",
            ])],
            [3]));
        foreach (var claim in report.Judgement.Claims.Where(claim => claim.Findings.Count > 0))
        {
            var lines = claim.Findings.Take(MostFindings).Select(finding => finding.Index is { } index ? $"{Noun(report)} {index}: {finding.Text}" : finding.Text);
            blocks.Add(new Paragraph($"{claim.Claim} {(claim.Status == ClaimStatus.Refuted ? "is refuted by" : "is not proven, as")}:", claim.Status == ClaimStatus.Refuted ? Standing.Bad : Standing.Doubtful));
            blocks.Add(new Items([.. claim.FindingCount > MostFindings ? lines.Append($"and {N(claim.FindingCount - Math.Min(MostFindings, claim.Findings.Count))} more") : lines]));
        }
    }

    /// <summary>As it is: only the dash of its signatures is not ASCII.</summary>
    private static string NoteText(string note) =>
        string.Join('\n', note.TrimEnd('\n').Split('\n').Select(line => line.StartsWith('\u2014') ? "\u2014" + line[1..].ToPrintable() : line.ToPrintable()));

    private static string E(long? number) => number is { } known ? known.ToString(CultureInfo.InvariantCulture) : "(not in this log)";

    private static string N(long number) => number.Grouped();

    private static string Time(DateTimeOffset? time) => time is { } known ? known.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture) : "";
}
