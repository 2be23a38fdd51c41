using Sallyport.Proof.Claims;
using Sallyport.Proof.Report;

namespace Sallyport.Proof.Import;

/// <summary>
/// Asks an access log the claims that a log of Sallyport's is asked. None can be proved from one: a status is what was answered, not why. What it can do is contradict them:
/// somebody was let in before anybody had got a token, where nobody was ever turned away, or who had just been turned away; into a session that nobody was let in to open; or without the credentials that the log
/// shows on other requests.
/// </summary>
internal static class ImportJudge
{
    private const int MostNamed = 4;

    public static Judgement Decide(ImportEvidence log)
    {
        ClaimResult[] claims = [C1(log), C2(log), C3(log), C4(log), C5(log), C6(log), C7(log)];
        return new(claims.Any(claim => claim.Status == ClaimStatus.Refuted) ? Verdict.Bypassed : Verdict.NotProven, claims, log.Unread, 0, 0);
    }

    private static ClaimResult C1(ImportEvidence log)
    {
        var findings = new List<ClaimFinding>();
        foreach (var path in log.Guarded.Where(path => path.Early.Total > 0))
        {
            // Where it does turn people away, a token that is older than the log explains it better. Of a page that asks for a password, 401 says nothing about tokens.
            var refutes = !log.IsContinued && path.Blocked.Total == 0 && path.Place == Place.Protected;
            var since = log.Exchange.Done.First is { } first ? $"before the first token was given out (line {first.Number})" : "while no token was given out in this log";
            findings.Add(new(Claim.C1, path.Early.First!.Number, refutes, refutes
                ? $"{path.Name.ToPrintable()} let in {path.Early.Total.Counted("request")} {since}, and turned nobody away"
                : $"{path.Name.ToPrintable()} let in {path.Early.Total.Counted("request")} {since}: a token from before the log would explain it, and is not shown", []));
        }
        // Where no exchange follows either, tokens may be given out elsewhere.
        if (log.Unearned is var (place, refused, letIn) && !log.IsContinued && log.Exchange.Done.Total > 0)
            findings.Add(new(Claim.C1, letIn, true, $"{place.Name.ToPrintable()} let in whom it had turned away (line {refused}), who registered a client since, and nobody had got a token by then (the first: line {log.Exchange.Done.First!.Number})", []));
        findings.Add(log.Allowed.Total == 0
            ? new(Claim.C1, null, false, "nobody was let in where a token is needed", [])
            : new(Claim.C1, null, false, $"no token and no client is named on {(log.Allowed.Total == 1 ? "the request that was" : $"the {log.Allowed.Total.Grouped()} requests that were")} let in ({LinesOf(log.Allowed)}): whether each had a valid token is not recorded", []));
        return Result(Claim.C1, log.Allowed.Total, findings);
    }

    private static ClaimResult C2(ImportEvidence log)
    {
        var exchanges = log.Exchange.Done;
        if (exchanges.Total == 0)
            return Unknown(Claim.C2, 0, "no exchange at a token endpoint is in the log: where the tokens came from is not known");
        var subject = exchanges.Total == 1 ? $"the exchange ({LinesOf(exchanges)}) names" : $"the {exchanges.Total.Grouped()} exchanges ({LinesOf(exchanges)}) name";
        return Unknown(Claim.C2, exchanges.Total,
        [
            $"{subject} no code and no client: what {(exchanges.Total == 1 ? "it belongs" : "they belong")} to is known by the order of lines at best",
            .. log.Asked > 0 ? [$"of {log.Asked.Counted("request")} for authorization, {log.WithPkce.Total.Grouped()} had a challenge (PKCE, S256), and {log.WithResource.Total.Grouped()} named the server that the token is for (resource): whether either was checked is not recorded"] : Array.Empty<string>(),
            .. log.Untied > 0 ? [$"{log.Untied.Counted("exchange fits", "exchanges fit")} no client, or several: whose {(log.Untied == 1 ? "it was" : "they were")} is open"] : Array.Empty<string>(),
        ]);
    }

    private static ClaimResult C3(ImportEvidence log) => log.Unopened.Total > 0
        ? Result(Claim.C3, log.Sessions, [new(Claim.C3, log.Unopened.First!.Number, true, $"{log.Unopened.Total.Counted("message was", "messages were")} let in, in sessions that no stream was let in for since the server started", [])])
        : Unknown(Claim.C3, log.Sessions, log.Sessions == 0
        ? "no session is named in the log"
        : $"{log.Sessions.Counted("session is", "sessions are")} named, and nothing of who opened or used {(log.Sessions == 1 ? "it" : "them")}");

    private static ClaimResult C4(ImportEvidence log) => Unknown(Claim.C4, log.Exchange.Done.Total, log.Exchange.Done.Total == 0
        ? "no exchange is in the log"
        : "what was exchanged is in a request's body, which is not in the log: a code used twice would not show");

    private static ClaimResult C5(ImportEvidence log)
    {
        ClaimFinding[] bare = [.. log.LetInBare.Select(path => new ClaimFinding(Claim.C5, path.Bare.First!.Number, true, $"{path.Name.ToPrintable()} let in {path.Bare.Total.Counted("request")} without credentials, which the log shows on others", []))];
        if (bare.Length > 0)
            return Result(Claim.C5, log.Blocked.Total, [.. bare]);
        var open = log.NeverBlocked.ToArray();
        var seen = log.Guarded.Where(path => path.Blocked.Total > 0).ToArray();
        var refused = seen.Length == 0 ? "no request was turned away with 401" : $"refusals were seen for {Names(seen)} only";
        var told = open.Length == 0 ? refused : $"{refused}: {Names(open)} let {(open.Sum(path => path.Allowed.Total) == 1 ? "a request" : "requests")} in, and {(open.Length == 1 ? "was" : "were")} never seen to refuse{Other(open[0], seen)}";
        return Unknown(Claim.C5, log.Blocked.Total,
            [told, log.ShowsCredentials ? "that credentials came with a request is in the log, and not whether they were good" : "a request without a token that was let in would look like one with a token"]);
    }

    private static ClaimResult C6(ImportEvidence log) => Unknown(Claim.C6, log.Handled.Total, log.Handled.Total == 0
        ? "what reached the tools is not in the log"
        : $"what the server says it processes ({LinesOf(log.Handled)}) names no request: which one brought it is known by the order of lines only");

    private static ClaimResult C7(ImportEvidence log) => Unknown(Claim.C7, log.Lines,
        [
            .. log.LacksMessages ? [$"lines are missing: the server says that it processed {log.Handled.Total.Counted("request")}, and {log.Posted.Counted("message is", "messages are")} logged that could have brought them"] : Array.Empty<string>(),
            .. log.Mended > 0 ? [$"{log.Mended.Counted("line has", "lines have")} lost the quote before the request: what a server wrote was edited, or put into another form"] : Array.Empty<string>(),
            "nobody has signed these lines: whoever can write the file can change them, drop some and add others",
            .. log.HasTimes ? Array.Empty<string>() : ["no line has a time: the order of the lines is all the order there is, and no expiry can be judged"],
        ]);

    /// <summary>That one method is refused says nothing about another at the same path: they are often other code.</summary>
    private static string Other(PathRecord open, PathRecord[] seen) =>
        seen.FirstOrDefault(path => path.Path == open.Path) is { } other ? $" (that {other.Name.ToPrintable()} is refused says nothing about {open.Name.ToPrintable()})" : "";

    private static ClaimResult Unknown(Claim claim, long judged, params IEnumerable<string> missing) =>
        Result(claim, judged, [.. missing.Select(text => new ClaimFinding(claim, null, false, text, []))]);

    private static ClaimResult Result(Claim claim, long judged, List<ClaimFinding> findings)
    {
        var isRefuted = findings.Exists(finding => finding.Refutes);
        var shown = isRefuted ? findings.FindAll(finding => finding.Refutes) : findings;
        return new(claim, isRefuted ? ClaimStatus.Refuted : ClaimStatus.Unknown, judged, shown, shown.Count);
    }

    /// <summary>Where the lines are that were counted.</summary>
    internal static string LinesOf(Count count) => count.Places("line");

    internal static string Names(IEnumerable<PathRecord> paths) => paths.Select(path => path.Name.ToPrintable()).ToArray().Listed(MostNamed);
}
