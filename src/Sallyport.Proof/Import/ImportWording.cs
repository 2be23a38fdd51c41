using System.Buffers;
using Sallyport.Proof.Claims;
using Sallyport.Proof.Report;

namespace Sallyport.Proof.Import;

/// <summary>What an access log shows, in sentences: what each row rests on, what is missing, and what would settle it.</summary>
internal sealed class ImportWording(ImportEvidence log, Judgement judgement)
{
    private const int MostSteps = 5;

    private static readonly SearchValues<char> s_plain = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-_.");

    private bool IsContradicted => judgement.Verdict == Verdict.Bypassed;

    /// <summary>Whether the log has anything of a guard at work.</summary>
    private bool HasEvidence => log.Blocked.Total > 0 || (log.Allowed.Total > 0 && log.Exchange.Done.Total > 0);

    public string Headline() =>
        IsContradicted ? "The log contradicts enforcement"
        : HasEvidence ? "Consistent with enforcement, not proven"
        : "Not proven: no evidence in this log";

    public string Sentence()
    {
        if (IsContradicted)
        {
            var findings = judgement.Claims.SelectMany(claim => claim.Findings).Where(finding => finding.Refutes).ToArray();
            return $"{findings[0].Text} (line {findings[0].Index}){(findings.Length > 1 ? $", and {((long)findings.Length - 1).Counted("more of the kind", "more of the kind")}" : "")}.";
        }
        if (!HasEvidence)
            return log.Allowed.Total == 0
                ? "no request to a protected path is in it."
                : $"{log.Allowed.Total.Counted("request was", "requests were")} let in, and neither a token nor a refusal is in it.";
        return (log.Allowed.Total, log.Blocked.Total) switch
        {
            (0, _) => $"{log.Blocked.Total.Counted("request was", "requests were")} turned away, and nobody was let in.",
            (_, 0) => $"tokens were given out and {log.Allowed.Total.Counted("request was", "requests were")} let in, but nobody was seen turned away, and nothing says whose the requests were.",
            _ => $"nothing in the log contradicts enforcement, but whether the {(log.Allowed.Total == 1 ? "request that was" : $"{N(log.Allowed.Total)} requests that were")} let in carried a valid token is not recorded{Unrefused()}.",
        };
    }

    public IReadOnlyList<Component> Components() =>
    [
        Row("OAuth discovery", log.Discovery, "metadata documents given out (RFC 9728, RFC 8414)"),
        Row("Client registration", log.Registration, "clients registered (RFC 7591)"),
        Row("Authorization flow", log.Authorization, "requests for authorization, and browsers that came back with a code"),
        Row("Token exchange", log.Exchange, "answers of the token endpoint"),
        Row("Authenticated access", (log.Allowed, log.Forbidden), "requests let in where a token is needed", IsContradicted),
        Row("Unauthenticated blocking", (log.Blocked, new()), "requests turned away with 401"),
    ];

    public IReadOnlyList<Answer> Answers() =>
    [
        new("It accesses the server without OAuth.",
            IsContradicted ? $"The log says so: {Sentence()}"
            : log.Allowed.Total == 0 ? "Nobody was let in, as far as this log goes."
            : log.Exchange.Done.Total == 0 ? $"The log cannot say: {Were(log.Allowed, "request", "let in")}, and no token was given out in it."
            : $"Nothing in the log says so, and it is not proven. {Were(log.Allowed, "request", "let in")}, {(log.Allowed.First!.Number > log.Exchange.Done.First!.Number ? "after" : "some before")} a token had been given out ({ImportJudge.LinesOf(log.Exchange.Done)}); that {(log.Allowed.Total == 1 ? "it" : "they")} carried one, the log does not say.{Distinguishing()}"),
        new("No authentication is happening.",
            log.Authorization.Done.Total + log.Exchange.Done.Total == 0 ? "The log has nothing of it: no authorization and no exchange."
            : $"Not proven. {(log.Authorization.Done.Total > 0 ? $"Authorization was asked for and came back ({ImportJudge.LinesOf(log.Authorization.Done)})" : "Nobody asked for authorization")}, and {(log.Exchange.Done.Total > 0 ? $"the token endpoint answered with success ({ImportJudge.LinesOf(log.Exchange.Done)})" : "no exchange followed")}. That anybody signed in, or consented, the log does not show."),
        new("Tools are open without tokens.", Tools()),
    ];

    /// <param name="flow">The way that was followed furthest.</param>
    public IReadOnlyList<string> Hints(IReadOnlyList<FlowStep> flow)
    {
        var hints = new List<string>();
        if (IsContradicted)
            return hints;
        if (log.IsIncomplete)
            hints.Add($"The log is not as a server wrote it{(log.LacksMessages ? $": {log.Handled.Total.Counted("request")} {(log.Handled.Total == 1 ? "was" : "were")} processed, and {log.Posted.Counted("message is", "messages are")} logged that could have brought them" : "")}{(log.Mended > 0 ? $"; {log.Mended.Counted("line has", "lines have")} lost a quote" : "")}. Lines are missing, or were edited, and what is not in it may have happened.");
        if (log.Allowed.Total > 0 && log.Exchange.Done.First is { } token && token.Number < log.Allowed.First!.Number && flow.Count > 1)
            hints.Add($"Lines {N(flow[0].Line)} to {N(flow[^1].Line)} stand in the order in which a client goes through OAuth, and nothing was let in before the token (line {N(token.Number)}). A server whose guard lets everybody in would write the same lines for a client that has a token.");
        if (log.Guarded.FirstOrDefault(path => path.Blocked.Total > 0 && log.NeverBlocked.Any(open => open.Path == path.Path)) is { } other)
            hints.Add($"{other.Name.ToPrintable()} answered 401 ({ImportJudge.LinesOf(other.Blocked)}){(other.Allowed.Total == 0 ? ", and neither 404 nor 405: something looks for a token there before it looks at the method" : "")}. A guard of the whole path would write that, and would stand before {ImportJudge.Names(log.NeverBlocked.Where(open => open.Path == other.Path))}, too.");
        if (log.Returned.Total > 0)
            hints.Add($"{(log.Returned.Total == 1 ? "A browser" : "Browsers")} brought a code to the server's own callback ({ImportJudge.LinesOf(log.Returned)}), as where a provider signs users in: that provider's log would show who, and when.{(flow.Any(step => step.TiedBy == "state") ? " It came with the client's own state, so the server seems to have put none of its own before the provider: look whether it ties the callback to the browser, and asks for consent for each client." : "")}");
        if (log is { Allowed.Total: > 0, Blocked.Total: > 0, HasCallers: false })
            hints.Add($"No line says where its request came from: whether whoever was turned away ({ImportJudge.LinesOf(log.Blocked)}) is the client that had been let in, or somebody else, nobody can say.");
        return hints;
    }

    public IReadOnlyList<SecurityArea> Security() =>
    [
        new("Authentication", StatusOf(log.Exchange.Done.Total > 0), $"{log.Authorization.Done.Total.Counted("step")} of authorization, {log.Exchange.Done.Total.Counted("exchange")}; {N(log.Exchange.Refused.Total)} refused"),
        new("Tool protection", IsContradicted ? ComponentStatus.Contradicted : StatusOf(log.ToolCalls.Total > 0 && log.Exchange.Done.Total > 0 && log.Guarded.Any(path => path is { Method: "POST", Allowed.Total: > 0, Blocked.Total: > 0 })),
            log.ToolCalls.Total == 0 ? "no tool call is named" : $"{Were(log.ToolCalls, "tool call", "begun")}; what allowed {(log.ToolCalls.Total == 1 ? "it" : "them")} is not in the log"),
        new("Endpoint protection", IsContradicted ? ComponentStatus.Contradicted : StatusOf(log.Blocked.Total > 0),
            log.Blocked.Total == 0 ? "nobody was turned away" : $"{log.Blocked.Total.Counted("request")} turned away with 401, at {ImportJudge.Names(log.Guarded.Where(path => path.Blocked.Total > 0))}"),
    ];

    public IReadOnlyList<string> Strength()
    {
        var read = $"{log.Requests.Counted("request")} and {log.Remarks.Counted("remark")} of the server were read";
        return
        [
            .. log.Files.Count > 1 ? log.Files.Select(file => $"{file.Name.ToPrintable()} is lines {N(file.First)} to {N(file.Last)}.") : [],
            log.Unread == 0 ? $"{read}, and no line was passed over."
                : $"{read}; {log.Unread.Counted("line was", "lines were")} passed over, as {(log.Unread == 1 ? "it is" : "they are")} neither: {string.Join(", ", log.PassedOver)}{(log.Unread > log.PassedOver.Count ? " …" : "")}.",
            "Nobody has signed the lines: this is worth as much as the word of whoever could write the file.",
            log.HasTimes ? "The lines' times are the server's own; where they name no zone, they were taken as UTC." : "No line has a time: their order is all that is known, and how long a token was used cannot be judged.",
            .. log.IsContinued ? ["There was traffic before the first line: tokens may be older than this log."] : Array.Empty<string>(),
        ];
    }

    public IReadOnlyList<string> Limits() =>
    [
        log.ShowsCredentials
            ? "A status is what was answered, not why: that credentials came with a request does not say that they were good."
            : "A status is what was answered, not why: 200 with a valid token and 200 without one are the same line.",
        "That one path, or one method, refuses does not show that another does.",
        "What reached the server by another way, past what wrote this log, is not in it.",
    ];

    /// <param name="stopped">Clients that came back with a code, for which no exchange is known.</param>
    public IReadOnlyList<string> NextSteps(IEnumerable<string> stopped)
    {
        var steps = new List<string>();
        if (IsContradicted)
            steps.Add("Send the same request yourself without a token. If it is let in, take the server off the network until its guard covers that path and method; if there was traffic before the first line, say so with --continued.");
        steps.AddRange(log.NeverBlocked.Take(MostSteps).Select(path => $"Send {path.Name.ToPrintable()} without a token{Curl(path)}: it must answer 401, and log it. Success means that no token was asked for; 400 or 404 settles nothing, as something else was looked at first: try again with a session id that is in use. Then try a token that is made up, and one that has expired."));
        if (log.Allowed.Total > 0)
            steps.Add("To know from now on, put a gate before the server ('sallyport serve --upstream URL'), close every other way to it, let the client connect anew, and ask 'sallyport audit report'. Each access is recorded there with its token, user and client before the server sees it, and the log is signed.");
        if (log.Allowed.Total > 0 && log.Exchange.Done.Total > 0)
            steps.Add("Or have the server itself log, with each request that it lets in, the id of the token (never the token), its user and its client, and with each token that it gives out the same three.");
        if (!log.HasCallers && log.Requests > 0)
            steps.Add("Have it log where a request comes from (uvicorn does, as %(client_addr)s): without that nobody can say whose a refusal was.");
        if (!log.HasTimes && log.Lines > 0)
            steps.Add("Have it log times (uvicorn: a --log-config whose access format has %(asctime)s): without them no expiry can be judged.");
        if (log.Discovery.Done.Total == 0 && log.Lines > 0)
            steps.Add("Ask for the metadata ('curl -i URL/.well-known/oauth-protected-resource'): clients find their way by it, and this log does not show that it answers.");
        if (log.WithSecrets.Total > 0)
            steps.Add($"Before you pass this log on, take the query strings out: {ImportJudge.LinesOf(log.WithSecrets)} {(log.WithSecrets.Total == 1 ? "has a code or a session id" : "have codes or session ids")} in clear text. A server should not log them.");
        steps.AddRange(stopped.Take(MostSteps).Select(client => $"Look at the token endpoint for {client.ToPrintable()}: it got a code, and no exchange is known to be its."));
        return steps;
    }

    private string Unrefused() => log.NeverBlocked.ToArray() is { Length: > 0 } open ? $", and {ImportJudge.Names(open)} {(open.Length == 1 ? "was" : "were")} never seen to refuse" : "";

    /// <summary>The best that an access log has.</summary>
    private string Distinguishing() => log.Distinguishing is { } path
        ? $" {path.Name.ToPrintable()} was let in ({ImportJudge.LinesOf(path.Allowed)}) and refused ({ImportJudge.LinesOf(path.Blocked)}): it does not let everybody in, unless it was changed between the two."
        : "";

    private string Tools()
    {
        if (IsContradicted)
            return $"The log says that it was so: {Sentence()}";
        var blocked = log.Guarded.Where(path => path.Blocked.Total > 0).ToArray();
        var open = log.NeverBlocked.ToArray();
        var refused = blocked.Length == 0 ? "Nobody was seen turned away" : $"{ImportJudge.Names(blocked)} {(blocked.Length == 1 ? "was" : "were")} answered with 401 ({ImportJudge.LinesOf(log.Blocked)}; with what token, if any, and to whom is not recorded)";
        return open.Length switch
        {
            0 when blocked.Length == 0 => "The log cannot say: it has no request to a protected path.",
            0 => $"Not where the log shows it: {refused}.",
            _ => $"Not proven. {refused}, but {ImportJudge.Names(open)}, which {(open.Sum(path => path.Allowed.Total) == 1 ? "was" : "were")} let in, {(open.Length == 1 ? "was" : "were")} never seen refused.",
        };
    }

    /// <summary>To be copied into a shell: only where nothing that a stranger wrote can end up there.</summary>
    private static string Curl(PathRecord path)
    {
        if (path.Path.AsSpan().ContainsAnyExcept(s_plain))
            return "";
        return $" ('curl -i {(path.Method == "GET" ? "" : $"-X {path.Method} ")}URL{path.Path}')";
    }

    private static Component Row(string name, (Count Done, Count Refused) counts, string meaning, bool isContradicted = false) => new(
        name, isContradicted ? ComponentStatus.Contradicted : StatusOf(counts.Done.Total > 0), counts.Done, counts.Refused, meaning);

    private static ComponentStatus StatusOf(bool isSeen) => isSeen ? ComponentStatus.Seen : ComponentStatus.NoEvidence;

    private static string Were(Count count, string what, string done) => $"{count.Total.Counted($"{what} was", $"{what}s were")} {done} ({ImportJudge.LinesOf(count)})";

    private static string N(long number) => number.Grouped();
}
