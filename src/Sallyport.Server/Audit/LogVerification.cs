using Sallyport.Proof.Notes;
using Sallyport.Proof.Verification;

namespace Sallyport.Server.Audit;

/// <summary>Whether a log is whole.</summary>
internal static class LogVerification
{
    /// <param name="begin">Called at the beginning; what it gives is then shown each leaf.</param>
    public static LogReport Run(LogFiles files, VerifierKey? key, IReadOnlyList<SignedNote> given, Action<long> progress, Func<LeafReader>? begin = null)
    {
        try
        {
            return LogVerifier.Verify(files, NoteKey.Check, key, given, progress, begin);
        }
        catch (InvalidDataException exception)
        {
            // No gate wrote that file.
            return new() { Key = key, CheckpointsGiven = given.Count, FaultCount = 1, Faults = [new(LogFaultKind.File, 0, exception.Message)] };
        }
    }
}
