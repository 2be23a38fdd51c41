namespace Sallyport.Server.Audit;

/// <summary>An event could not be recorded, so what needed the record must not happen: the gate answers 503.</summary>
internal sealed class AuditUnavailableException(string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>Whether the record is only late: it may still come, though what needed it does not happen.</summary>
    public bool IsLate { get; init; }
}
