using System.CommandLine;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Sallyport.Log;
using Sallyport.Proof;
using Sallyport.Proof.Events;
using Sallyport.Proof.Notes;
using Sallyport.Proof.Verification;
using Sallyport.Server.Audit;

namespace Sallyport.Commands;

/// <summary><c>audit verify</c>: whether a log is whole. It needs nothing but the files, and no gate to vouch for them.</summary>
internal static class AuditVerifyCommand
{
    private static readonly Argument<string?> s_directory = new("DIR") { Description = "A data directory, or a log or a copy of one (default: --data)", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<bool> s_json = new("--json") { Description = "One JSON object" };

    /// <summary>A plus sign stays one: keys are to be copied.</summary>
    private static readonly VerdictContext s_verdict = new(new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });

    public static Command Create()
    {
        var command = new Command("verify", "Decide whether the log is whole. Ends with 0 if it is, with 3 if it was tampered with")
        {
            s_directory, GivenCheckpoints.Option, GivenKey.Option, CommandLine.Data, s_json,
        };
        command.SetAction(Run);
        return command;
    }

    private static int Run(ParseResult parsed)
    {
        var (files, key, given) = (LogLocation.Find(parsed, s_directory), GivenKey.Read(parsed), GivenCheckpoints.Read(parsed));
        GivenCheckpoints.RefuseOthers(given, key, files);
        var report = CommandLine.WithProgress("Verifying", progress => LogVerification.Run(files, key, given, progress));
        if (parsed.GetValue(s_json))
            Say(JsonSerializer.Serialize(Verdict.Of(report, files.Size()), s_verdict.Verdict));
        else
            Write(report, files.Size(), hasKey: key is not null);
        return (int)(report.IsWhole ? ExitCode.Success : ExitCode.Tampered);
    }

    private static void Write(LogReport report, long bytes, bool hasKey)
    {
        var unsigned = report.Length - report.SignedLength;
        var extent = $"{report.Length.Grouped()} events, {(report.SignedLength > 0 ? $"signed up to {report.SignedLength.Grouped()}" : "none of them signed")}";
        if (report.Faults is [{ Kind: LogFaultKind.File } unread])
        {
            Say($"TAMPERED: {unread.Text}; nothing more was read");
            return;
        }
        Say(report.IsWhole ? $"whole: {extent}" : $"TAMPERED: {(report.FaultCount == 1 ? report.Faults[0].Text : $"{report.FaultCount.Grouped()} faults")} ({extent})");
        Say("");
        Row("Key", report.Key is null ? "none" : $"{report.Key}{(hasKey ? "" : ", from beside the log")}{(report.NewestKey == report.Key ? "" : $"; changed since, now {report.NewestKey}")}");
        Row("Newest checkpoint", report.Checkpoint is { } note && Checkpoint.TryParse(note.Text, out var checkpoint) ? $"of {checkpoint.Size.Grouped()} events, root {checkpoint.Root}" : "none that holds");
        Row("Not signed yet", unsigned == 0 ? "nothing" : $"{unsigned.Grouped()} events: a gate signs its log every minute, or as --checkpoint-seconds says, and when it stops");
        Row("Checkpoints", string.Create(CultureInfo.InvariantCulture, $"{report.CheckpointsChecked:N0} recomputed from the events; {report.CheckpointsGiven:N0} given with --against"));
        Row("Starts", string.Create(CultureInfo.InvariantCulture, $"{report.Starts:N0}, {report.UncleanStarts:N0} of them after a process that was killed"));
        Row("Durability", report.Durability switch
        {
            Started.SurvivesPowerLoss => "every event was on the disk before its effect",
            Started.SurvivesProcess => "an access is recorded before it happens; the newest ones can be lost with the power, all else is on the disk",
            null => "not said",
            _ => report.Durability,
        });
        Row("Torn bytes", report.TornBytes == 0 ? "none" : $"{report.TornBytes.Grouped()} at the end: being written, cut short by a kill, or lost with the power");
        Row("Pruned", report.FirstIndex == 0 ? "nothing" : $"the events before {report.FirstIndex.Grouped()}, which are known by their hashes");
        Row("On the disk", $"{bytes.Grouped()} bytes");
        if (report.FaultCount > 0)
        {
            Say("");
            Say("Faults:");
            foreach (var (number, fault) in report.Faults.Index())
                Say(string.Create(CultureInfo.InvariantCulture, $"{number + 1,5}. {fault.Text}"));
            if (report.FaultCount > report.Faults.Count)
                Say($"       and {(report.FaultCount - report.Faults.Count).Grouped()} more");
        }
        if (report.CheckpointsGiven == 0)
        {
            Say("");
            Say("Not shown: a cut tail, or a log written anew with the stolen key, shows only against a checkpoint kept elsewhere.");
            Say("           Give one with --against.");
        }
    }

    private static void Row(string name, string value) => Say($"  {name,-17}  {value}");

    /// <summary>What is said may quote a file that anybody wrote.</summary>
    private static void Say(string line) => Console.Out.WriteLine(line.ToPrintable());

    /// <summary>What <c>--json</c> prints. Members may be added to it; those that are there keep their meaning.</summary>
    /// <param name="Whole">The verdict; all else explains it.</param>
    /// <param name="Length">Events of the log, those pruned included.</param>
    /// <param name="SignedLength">Those under the newest checkpoint.</param>
    /// <param name="FirstIndex">The number of the first event that is still there.</param>
    /// <param name="Key">The verifier key that the log was checked with; null where there was none.</param>
    /// <param name="NewestKey">The one that signs now; another one where the key was changed since.</param>
    /// <param name="Checkpoint">The newest checkpoint, as the signed note that it is; null where none holds.</param>
    /// <param name="CheckpointsChecked">Those whose roots were recomputed from the events.</param>
    /// <param name="CheckpointsGiven">Those given with <c>--against</c>.</param>
    /// <param name="UncleanStarts">Starts after a process that was killed.</param>
    /// <param name="Durability"><c>process</c> or <c>disk</c>, as the start events say; the weaker one where they differ.</param>
    /// <param name="TornBytes">Bytes at the end that are no whole event.</param>
    /// <param name="DiskBytes">All files of the log together.</param>
    /// <param name="FaultCount">All faults; the first hundred are in <paramref name="Faults"/>.</param>
    internal sealed record Verdict(
        bool Whole, long Length, long SignedLength, long FirstIndex, string? Key, string? NewestKey, string? Checkpoint, int CheckpointsChecked, int CheckpointsGiven,
        int Starts, int UncleanStarts, string? Durability, long TornBytes, long DiskBytes, long FaultCount, IReadOnlyList<VerdictFault> Faults)
    {
        public static Verdict Of(LogReport report, long diskBytes) => new(
            report.IsWhole, report.Length, report.SignedLength, report.FirstIndex, report.Key?.ToString(), report.NewestKey?.ToString(), report.Checkpoint?.ToString(),
            report.CheckpointsChecked, report.CheckpointsGiven, report.Starts, report.UncleanStarts, report.Durability, report.TornBytes, diskBytes,
            report.FaultCount, [.. report.Faults.Select(fault => new VerdictFault(JsonNamingPolicy.SnakeCaseLower.ConvertName(fault.Kind.ToString()), fault.Index, fault.Text))]);
    }

    /// <param name="Kind">A <see cref="LogFaultKind"/>, in snake case.</param>
    /// <param name="Index">The number of the event, or the size of the tree, that it is about.</param>
    internal sealed record VerdictFault(string Kind, long Index, string Text);
}

[JsonSerializable(typeof(AuditVerifyCommand.Verdict))]
internal sealed partial class VerdictContext : JsonSerializerContext;
