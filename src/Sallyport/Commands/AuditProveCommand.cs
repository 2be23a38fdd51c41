using System.CommandLine;
using System.Globalization;
using Sallyport.Log;
using Sallyport.Proof;
using Sallyport.Proof.Notes;
using Sallyport.Server.Audit;

namespace Sallyport.Commands;

/// <summary><c>audit prove</c>: one event, with all that somebody who has the log's key needs to believe that it is in the log.</summary>
internal static class AuditProveCommand
{
    private static readonly Argument<string?> s_event = new("EVENT") { Description = "The event's number, or its id as the Sallyport-Event header told it", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<string?> s_out = new("--out") { Description = "Where to write the proof (default: standard output)", HelpName = "FILE" };
    private static readonly Option<string?> s_check = new("--check") { Description = "Check a proof instead, with --key and nothing else, and print its event. Ends with 3 where it does not hold", HelpName = "FILE" };

    public static Command Create()
    {
        var command = new Command("prove", "Prove to others that an event is in the log, or check such a proof") { s_event, s_out, CommandLine.Data, s_check, GivenKey.Option };
        command.Validators.Add(result =>
        {
            var checks = result.GetValue(s_check) is not null;
            if (checks == result.GetValue(s_event) is not null)
                result.AddError("Give either an event to prove or --check with a proof");
            else if (checks && result.GetValue(GivenKey.Option) is null)
                result.AddError("--check needs the log's key, given with --key: without it a proof shows nothing");
        });
        command.SetAction(Run);
        return command;
    }

    private static int Run(ParseResult parsed)
    {
        if (parsed.GetValue(s_check) is { } file)
            Check(file, GivenKey.Read(parsed)!);
        else
            Prove(parsed);
        return (int)ExitCode.Success;
    }

    private static void Prove(ParseResult parsed)
    {
        var files = LogLocation.Find(parsed);
        var proof = EventProof.Make(files, () => EventNumber.Of(parsed.GetValue(s_event)!, files));
        if (GivenKey.Read(parsed) is { } key && !proof.Shows(proof.Extra.Span, key, NoteKey.Check))
            throw EventProof.Damaged($"its checkpoint is not signed by {key}");
        CommandLine.Write(proof.ToString(), parsed.GetValue(s_out));
    }

    private static void Check(string file, VerifierKey key)
    {
        if (!TlogProof.TryParse(ReadProof(file), out var proof) || !Checkpoint.TryParse(proof.SignedCheckpoint.Text, out var head))
            throw new CommandFault(ExitCode.RefusedInput, $"{file} is no proof", "Give a file that 'sallyport audit prove EVENT' has written: a C2SP tlog-proof");
        if (proof.Extra.IsEmpty)
            throw new CommandFault(ExitCode.RefusedInput, $"{file} carries no event, only the proof of one", "Give a file that 'sallyport audit prove EVENT' has written");
        if (!proof.Shows(proof.Extra.Span, key, NoteKey.Check))
        {
            throw new CommandFault(
                ExitCode.Tampered,
                proof.SignedCheckpoint.IsSignedBy(key, NoteKey.Check) ? $"It does not hold: this is not event {proof.Index} of the log" : $"It does not hold: its checkpoint is not signed by {key}",
                "Believe nothing that it says");
        }
        Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"It holds: this is event {proof.Index} of {head.Origin}, which had {head.Size} events when it was signed.").ToPrintable());
        Console.Out.WriteLine(new EventLine(new(proof.Index, proof.Extra.ToArray())).ForPrograms());
    }

    private static byte[] ReadProof(string file)
    {
        using var stream = file == "-" ? Console.OpenStandardInput() : new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.Read);
        var bytes = new byte[TlogProof.MaxBytes + 1];
        return bytes[..stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false)];
    }
}
