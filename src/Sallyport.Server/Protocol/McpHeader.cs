namespace Sallyport.Server.Protocol;

/// <summary>The headers of Streamable HTTP (revisions 2025-03-26, "Session Management", and 2025-06-18, "Protocol Version Header").</summary>
internal static class McpHeader
{
    public const string Session = "Mcp-Session-Id";
    public const string Revision = "MCP-Protocol-Version";
}
