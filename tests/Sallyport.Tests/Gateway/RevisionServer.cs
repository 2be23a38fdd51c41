using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Sallyport.Tests.Gateway;

/// <summary>A server that speaks the given revisions, and keeps the bodies and headers that it got after the gate's own questions; and what is asked of it.</summary>
internal sealed class RevisionServer(params string[] revisions)
{
    public const string Stateless = "2026-07-28";

    public static readonly (string, string)[] StatelessHeaders = [("MCP-Protocol-Version", Stateless), ("Mcp-Method", "tools/call"), ("Mcp-Name", "danger")];

    public List<(string Body, Dictionary<string, string> Headers)> Seen { get; } = [];

    public async Task HandleAsync(HttpContext context)
    {
        if (HttpMethods.IsDelete(context.Request.Method))
            return;
        using var reader = new StreamReader(context.Request.Body, Encoding.UTF8);
        var body = await reader.ReadToEndAsync();
        if (!body.Contains("\"sallyport\"", StringComparison.Ordinal))
            Seen.Add((body, context.Request.Headers.ToDictionary(header => header.Key, header => header.Value.ToString(), StringComparer.OrdinalIgnoreCase)));
        using var message = JsonDocument.Parse(body);
        context.Response.ContentType = "application/json";
        if (message.RootElement.ValueKind == JsonValueKind.Array)
        {
            await context.Response.WriteAsync("[" + string.Join(',', message.RootElement.EnumerateArray().Where(each => each.TryGetProperty("id", out _))
                .Select(each => $$$"""{"jsonrpc":"2.0","id":{{{each.GetProperty("id")}}},"result":{}}""")) + "]");
            return;
        }
        var id = message.RootElement.TryGetProperty("id", out var given) ? given.GetRawText() : "null";
        var method = message.RootElement.GetProperty("method").GetString();
        if (method == "server/discover" && !revisions.Contains(Stateless))
        {
            context.Response.StatusCode = StatusCodes.Status400BadRequest;
            return;
        }
        context.Response.Headers["Mcp-Session-Id"] = "theirs";
        await context.Response.WriteAsync($$$"""{"jsonrpc":"2.0","id":{{{id}}},"result":{"supportedVersions":{{{JsonSerializer.Serialize(revisions)}}},"protocolVersion":"{{{revisions[0]}}}"}}""");
    }

    public static async Task<(HttpServer Upstream, TestGate Gate, string Token)> StartAsync(RevisionServer server)
    {
        var upstream = await HttpServer.StartAsync(server.HandleAsync);
        var gate = await TestGate.StartAsync(new() { Settings = s => s.Upstreams = [upstream.Url] });
        return (upstream, gate, (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken);
    }

    public static string Body(string method = "tools/call", string parameters = "\"name\":\"danger\",\"arguments\":{\"region\":\"us\",\"deep\":{\"count\":42,\"on\":true},\"list\":[\"listed\"]}", string revision = Stateless) =>
        $$$"""{"jsonrpc":"2.0","id":7,"method":"{{{method}}}","params":{ {{{parameters}}},"_meta":{"io.modelcontextprotocol/protocolVersion":"{{{revision}}}"} } }""";

    public static HttpRequestMessage Request(TestGate gate, string token, string body, params (string Name, string Value)[] headers)
    {
        var request = gate.McpRequest(token, body);
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        return request;
    }
}
