namespace Sallyport.Server.Audit;

/// <summary>An event could not be recorded, so what needed the record must not happen: the gate answers 503.</summary>
internal sealed class AuditUnavailableException(string message, Exception? inner = null) : Exception(message, inner);
