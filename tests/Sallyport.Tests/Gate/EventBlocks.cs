using System.Text.Json;

namespace Sallyport.Tests.Gate;

/// <summary>An open event stream, read block by block.</summary>
internal sealed class EventBlocks(HttpResponseMessage response, StreamReader reader) : IDisposable
{
    public HttpResponseMessage Response => response;

    public static async Task<EventBlocks> OpenSseAsync(TestGate gate, string token, string path = "/sse")
    {
        var response = await gate.GetWithTokenAsync(path, token);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return await OfAsync(response);
    }

    public static async Task<EventBlocks> OfAsync(HttpResponseMessage response) =>
        new(response, new StreamReader(await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken)));

    /// <summary>The next block, comments included; null at the end.</summary>
    public async Task<string?> NextAsync()
    {
        var lines = new List<string>();
        while (await reader.ReadLineAsync(TestContext.Current.CancellationToken) is { } line)
        {
            if (line.Length == 0)
                return string.Join('\n', lines);
            lines.Add(line);
        }
        return null;
    }

    public async Task<JsonElement> NextMessageAsync()
    {
        string? block;
        do
            block = await NextAsync();
        while (block?.StartsWith(':') == true);
        var data = block!.Split('\n').Single(line => line.StartsWith("data: ", StringComparison.Ordinal));
        return JsonDocument.Parse(data["data: ".Length..]).RootElement;
    }

    /// <summary>Past the comment, the address to post to.</summary>
    public async Task<string> EndpointAsync()
    {
        Assert.StartsWith(": ", await NextAsync());
        var block = await NextAsync();
        Assert.StartsWith("event: endpoint\ndata: ", block);
        return block!["event: endpoint\ndata: ".Length..];
    }

    public void Dispose() => response.Dispose();
}
