namespace Sallyport.Server.Protocol;

/// <summary>The revisions of MCP, by their dates. Up to 2025-11-25 a session begins with <c>initialize</c>; from 2026-07-28 on each request stands for itself.</summary>
internal static class Revision
{
    /// <summary>The first with Streamable HTTP; what a request without a version header is taken for. The only one with batches.</summary>
    public const string Batches = "2025-03-26";

    /// <summary>The newest that begins with <c>initialize</c>.</summary>
    public const string NewestWithSessions = "2025-11-25";

    /// <summary>The one without sessions.</summary>
    public const string Stateless = "2026-07-28";

    /// <summary>Those that begin with <c>initialize</c>, the newest first.</summary>
    public static readonly string[] WithSessions = [NewestWithSessions, "2025-06-18", Batches, "2024-11-05"];

    /// <summary>It is the one without sessions, or a later one.</summary>
    public static bool IsStateless(string revision) => string.CompareOrdinal(revision, Stateless) >= 0;

    public static bool IsKnown(string revision) => HasSessions(revision) || revision == Stateless;

    public static bool HasSessions(string revision) => Array.IndexOf(WithSessions, revision) >= 0;
}
