using Sallyport.Proof;
using Sallyport.Proof.Journal;
using Sallyport.Proof.Verification;
using Sallyport.Server.Audit;

namespace Sallyport.Log;

/// <summary>What every command that reads the log says beside it: the events at its end that no checkpoint covers can be changed still.</summary>
internal static class UnsignedEvents
{
    public static void Tell(LogFiles files)
    {
        // Read first: what a gate signs meanwhile is told as unsigned once more, and never the other way round.
        var signed = files.SignedSize();
        if (files.Segments() is not [.., var (last, _)])
            return;
        using var journal = new JournalReader(files, last, signed);
        try
        {
            while (journal.Read() != JournalItem.End)
            {
            }
        }
        catch (InvalidDataException)
        {
            // Larger than any segment: that is for a verification to tell.
            return;
        }
        if (journal.NextIndex - signed is > 0 and var unsigned)
            Console.Error.WriteLine(unsigned == 1 ? "The log's last event is not signed yet" : $"The log's last {unsigned.Grouped()} events are not signed yet");
    }
}
