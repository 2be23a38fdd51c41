using System.CommandLine;
using System.Globalization;
using Sallyport.Log;
using Sallyport.Proof;
using Sallyport.Proof.Claims;
using Sallyport.Proof.Events;
using Sallyport.Proof.Journal;
using Sallyport.Proof.Notes;
using Sallyport.Server.Audit;
using Sallyport.Server.Audit.Values;

namespace Sallyport.Commands;

/// <summary><c>audit explain</c>: all that one access rests on, from the client's registration to what became of it; of another event, what it says.</summary>
internal static class AuditExplainCommand
{
    private static readonly Argument<string> s_event = new("EVENT") { Description = "The event's number, or its id as the Sallyport-Event header told it" };

    public static Command Create()
    {
        var command = new Command("explain", "Tell one access's whole story, event by event") { s_event, CommandLine.Data };
        command.SetAction(Run);
        return command;
    }

    private static int Run(ParseResult parsed)
    {
        var files = LogLocation.Find(parsed);
        var number = EventNumber.Of(parsed.GetValue(s_event)!, files);
        var story = CommandLine.WithProgress("Reading", progress => Find(files, number, progress))
            ?? throw new CommandFault(ExitCode.RefusedInput, $"The log has no event {number}", "See the newest ones with 'sallyport audit tail'");
        using var values = new ValueReader(files.Directory);
        Say($"Event {story.Index}: {What(story.Event)}");
        if (story.Chain is { } chain)
        {
            Say("");
            Say("It rests on, newest first:");
            Step(files, values, "the access", chain.Access);
            Step(files, values, chain.Refreshes == 0 ? "its token" : string.Create(CultureInfo.InvariantCulture, $"its token, after {chain.Refreshes} refreshes"), chain.Token);
            Step(files, values, "the code", chain.Code);
            Step(files, values, "the consent", chain.Consent);
            if (chain.RestsOn is { } remembered)
                Step(files, values, "the consent that was remembered", remembered);
            Step(files, values, "the sign-in", chain.SignIn);
            Step(files, values, "the request", chain.Authorization);
            Step(files, values, "the client", chain.Registration);
            Say("");
            Say(story.Outcome is { } outcome ? $"What became of it: {story.Fate} (event {outcome})." : "What became of it is not in the log: it is under way, or the gate was killed.");
        }
        else
        {
            Step(files, values, "", story.Index);
        }
        Say("");
        Say(story.Findings.Count == 0 ? "No claim is contradicted by it." : "Claims that it contradicts, or leaves open:");
        foreach (var finding in story.Findings)
            Say($"  {finding.Claim}: {finding.Text}");
        Say("");
        Say(ProofOf(files, story.Index));
        UnsignedEvents.Tell(files);
        return (int)ExitCode.Success;
    }

    /// <summary>Made, and checked up to the checkpoint, here and now. Who signed that is for those to check who have the key from elsewhere.</summary>
    private static string ProofOf(LogFiles files, long index)
    {
        try
        {
            var proof = EventProof.Make(files, () => index);
            _ = Checkpoint.TryParse(proof.SignedCheckpoint.Text, out var head);
            return string.Create(CultureInfo.InvariantCulture,
                $"Proof: {proof.Hashes.Count} hashes lead from it to the checkpoint of {head!.Size} events, as was checked just now. 'sallyport audit prove {index}' writes them out, for whoever has the log's key.");
        }
        catch (CommandFault fault) when (fault.ExitCode != ExitCode.Tampered)
        {
            return $"Proof: none yet. {fault.Message}. {fault.Hint}.";
        }
    }

    /// <param name="Chain">Of an access that was allowed.</param>
    /// <param name="Outcome">The event that tells what became of it.</param>
    private sealed record Told(long Index, AuditEvent Event, AccessChain? Chain, long? Outcome, string? Fate, IReadOnlyList<ClaimFinding> Findings);

    private static Told? Find(LogFiles files, long number, Action<long> progress)
    {
        var judge = new ClaimJudge(about: number);
        using var reader = new JournalReader(files);
        Told? told = null;
        while (reader.Read() is var item && item != JournalItem.End)
        {
            if (item != JournalItem.Leaf)
                continue;
            var index = reader.NextIndex - 1;
            if (judge.Observe(index, reader.Leaf) is not { } next)
                continue;
            if (index == number)
                told = new(index, next, next is AccessAllowed access ? judge.ChainOf(index, access) : null, null, null, []);
            else if (told is { Outcome: null } && next is AccessOutcome outcome && FateOf(outcome, told.Event.Id) is { } fate)
                told = told with { Outcome = index, Fate = fate };
            if (index % 0x4000 == 0)
                progress(index);
        }
        judge.Conclude(new());
        return told is null ? null : told with { Findings = judge.About() };
    }

    private static string? FateOf(AccessOutcome outcome, string access)
    {
        if (outcome.NotForwarded.FirstOrDefault(failure => failure.Access == access) is { } kept)
            return $"it did not reach the server: {kept.Reason.Word()}";
        if (!outcome.Forwarded.Contains(access))
            return null;
        return outcome.Unanswered.FirstOrDefault(failure => failure.Access == access) is { } silent
            ? $"it reached the server, which gave no usable answer: {silent.Reason.Word()}"
            : "it reached the server";
    }

    private static string What(AuditEvent told) => told switch
    {
        AccessAllowed access => $"a {access.HttpMethod} over {access.Transport} was let in{(access.Method is { } method ? $" to call {method}{(access.Name is { } name ? $" {name}" : "")}" : "")}",
        AccessRefused refused => $"a {refused.HttpMethod} at {refused.Path} was refused with {refused.Status}, since {refused.Reason.Word()}",
        _ => "it says",
    };

    private static void Step(LogFiles files, ValueReader values, string what, long? number)
    {
        var line = number is { } known && JournalFiles.ReadFrom(files.Directory, known, known + 1).FirstOrDefault() is { Bytes: not null } leaf ? new EventLine(leaf).ForPeople(values) : "not in this log";
        Say(what.Length == 0 ? line : $"  {what}");
        if (what.Length > 0)
            Say($"    {line}");
    }

    private static void Say(string line) => Console.Out.WriteLine(line.ToPrintable());
}
