using System.Globalization;
using System.Text;
using Sallyport.Server.Configuration;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Gateway.Upstreams;

/// <summary>What the gate itself says to upstreams: which revisions do they speak, and that an answer is not waited for any more.</summary>
internal static class GateMessages
{
    public const string DiscoverId = "sallyport-discover";
    public const string InitializeId = "sallyport";

    private static readonly string s_client = $$"""{"name":"sallyport","version":"{{Product.Version}}"}""";

    /// <summary>What a message of 2026-07-28 says of itself.</summary>
    private static readonly string s_meta =
        $$$"""{"io.modelcontextprotocol/protocolVersion":"{{{Revision.Stateless}}}","io.modelcontextprotocol/clientInfo":{{{s_client}}},"io.modelcontextprotocol/clientCapabilities":{}}""";

    public static readonly byte[] Discover = Encoding.UTF8.GetBytes(
        $$$"""{"jsonrpc":"2.0","id":"{{{DiscoverId}}}","method":"server/discover","params":{"_meta":{{{s_meta}}}}}""");

    public static readonly byte[] Initialize = Encoding.UTF8.GetBytes(
        $$$"""{"jsonrpc":"2.0","id":"{{{InitializeId}}}","method":"initialize","params":{"protocolVersion":"{{{Revision.NewestWithSessions}}}","capabilities":{},"clientInfo":{{{s_client}}}}}""");

    /// <summary>Of 2026-07-28, for a server that has one channel for all (stdio).</summary>
    public static byte[] Cancelled(long request) => Encoding.UTF8.GetBytes(string.Create(
        CultureInfo.InvariantCulture,
        $$$"""{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":{{{request}}},"reason":"Its caller left","_meta":{{{s_meta}}}}}"""));
}
