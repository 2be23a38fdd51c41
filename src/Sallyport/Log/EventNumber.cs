using System.Globalization;
using System.Text;
using Sallyport.Proof;
using Sallyport.Server.Audit;
using Sallyport.Server.Audit.Index;

namespace Sallyport.Log;

/// <summary>The event that a command is asked about.</summary>
internal static class EventNumber
{
    /// <summary>By number, or by id, newest first: what is asked about was mostly told of just now.</summary>
    /// <exception cref="CommandFault">There is none of that id.</exception>
    public static long Of(string text, LogFiles files)
    {
        if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            return number;
        var sought = Encoding.UTF8.GetBytes($"\"id\":\"{text}\"");
        return CommandLine.WithProgress($"Looking for {text.ToPrintable()}", progress => Find(files, text, sought, progress))
            ?? throw new CommandFault(ExitCode.RefusedInput, $"The log has no event '{text.ToPrintable()}'", "Give its number, or its id as the Sallyport-Event header told it");
    }

    private static long? Find(LogFiles files, string id, byte[] sought, Action<long> progress)
    {
        var passed = 0L;
        foreach (var leaf in EventSearch.NewestFirst(files.Directory, new() { Id = id }))
        {
            if (leaf.Bytes.AsSpan().IndexOf(sought) >= 0 && new EventLine(leaf).Id == id)
                return leaf.Index;
            if (++passed % 0x4000 == 0)
                progress(passed);
        }
        return null;
    }
}
