using System.CommandLine;
using System.Globalization;
using System.Text;
using Sallyport.Proof;
using Sallyport.Proof.Notes;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;

namespace Sallyport.Log;

/// <summary>Checkpoints that were kept where the log's operator cannot reach: by an anchor, by a reader, or on paper.</summary>
internal static class GivenCheckpoints
{
    public static readonly Option<string[]> Option = new("--against")
    {
        Description = "A checkpoint kept elsewhere: a signed note, a proof with one, lines as the gate prints them, a directory of such files, or - for standard input",
        HelpName = "CHECKPOINT",
    };

    /// <exception cref="CommandFault">One of them holds no checkpoint.</exception>
    public static IReadOnlyList<SignedNote> Read(ParseResult parsed) => [.. (parsed.GetValue(Option) ?? []).SelectMany(ReadOne)];

    /// <summary>A checkpoint of another log says nothing of this one: that is a mistake in the question, and no fault of the log.</summary>
    /// <param name="key">The log's, where it was given; else it is the one beside the log.</param>
    /// <exception cref="CommandFault">One of them is of another log.</exception>
    public static void RefuseOthers(IEnumerable<SignedNote> given, VerifierKey? key, LogFiles files)
    {
        if ((key ?? files.ReadKey()) is not { } own)
            return;
        var other = given.Select(note => Checkpoint.TryParse(note.Text, out var checkpoint) && checkpoint.Origin != own.Name ? checkpoint : null).FirstOrDefault(checkpoint => checkpoint is not null);
        if (other is null)
            return;
        throw new CommandFault(
            ExitCode.RefusedInput,
            string.Create(CultureInfo.InvariantCulture, $"The checkpoint of {other.Size} events is of another log: {other.Origin}. This one is {own.Name}").ToPrintable(),
            LogLocation.OtherOf(files).FirstOrDefault(log => log.ReadKey()?.Name == other.Origin) is { } found
                ? $"That log is here too, from {(DataDirectory.EpochOf(Path.GetFileName(found.Directory)) is { } epoch ? $"before restore {epoch}" : "after the restore")}: say 'sallyport audit verify {found.Directory}'"
                : "Give checkpoints of this log only. If this should be that log, then it was replaced by another one");
    }

    private static List<SignedNote> ReadOne(string source)
    {
        List<SignedNote> notes = source == "-" ? Read(Console.OpenStandardInput())
            : Directory.Exists(source) ? [.. Directory.EnumerateFiles(source).Order(StringComparer.Ordinal).SelectMany(ReadFile)]
            : ReadFile(source);
        return notes.Count > 0 ? notes : throw new CommandFault(
            ExitCode.RefusedInput,
            source == "-" ? "There is no checkpoint on standard input" : $"There is no checkpoint in {source}",
            "Give a signed note as in log/checkpoint, or lines like {\"checkpoint\":\"…\"} as the gate prints them");
    }

    private static List<SignedNote> ReadFile(string path) => Read(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));

    /// <summary>In UTF-8, whatever the terminal speaks.</summary>
    private static List<SignedNote> Read(Stream stream)
    {
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return [.. ReadAll(reader)];
    }

    /// <summary>One note, or the one of a proof, or any number of lines with one each, among lines of other kinds.</summary>
    private static IEnumerable<SignedNote> ReadAll(TextReader reader)
    {
        var (beginning, found) = (new StringBuilder(), false);
        while (reader.ReadLine() is { } line)
        {
            if (CheckpointLine.TryParse(line, out var note))
            {
                found = true;
                yield return note;
            }
            else if (beginning.Length <= TlogProof.MaxBytes)
            {
                beginning.Append(line).Append('\n');
            }
        }
        if (found)
            yield break;
        var bytes = Encoding.UTF8.GetBytes(beginning.ToString());
        if (TlogProof.TryParse(bytes, out var proof))
            yield return proof.SignedCheckpoint;
        else if (SignedNote.TryParse(bytes, out var single) && Checkpoint.TryParse(single.Text, out _))
            yield return single;
    }
}
