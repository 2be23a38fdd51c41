using Sallyport.Proof.Events;
using Sallyport.Proof.Notes;
using Sallyport.Proof.Report;
using Sallyport.Server.Audit.Values;

namespace Sallyport.Server.Audit;

/// <summary>The status report of a log of Sallyport's: verified, judged and told in one reading.</summary>
internal static class LogReporting
{
    /// <param name="withNames">Whether what clients call themselves is shown, where it lies beside the log.</param>
    public static StatusReport Run(LogFiles files, VerifierKey? key, IReadOnlyList<SignedNote> given, ReportScope scope, bool withNames, Action<long> progress)
    {
        ReportBuilder builder = new(scope);
        var verified = LogVerification.Run(files, key, given, progress, () => (builder = new(scope)).Observe);
        if (!withNames)
            return builder.Build(verified, static (_, _) => null);
        using var values = new ValueReader(files.Directory);
        return builder.Build(verified, (kind, commitment) => values.Open(kind, commitment) is (ValueState.Open, { } text) ? text : null);
    }
}
