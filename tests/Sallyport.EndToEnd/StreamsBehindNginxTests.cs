using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using Sallyport.EndToEnd.Support;

namespace Sallyport.EndToEnd;

/// <summary>A stream through nginx, set up as the README says and with nothing but the gate's address: it begins at once, and what comes is not held back.</summary>
public sealed class StreamsBehindNginxTests
{
    private const string Password = "correct horse battery staple";

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_stream_begins_at_once_and_carries_its_comments_and_its_answers(bool asTheReadmeSays)
    {
        using var data = new DataFolder();
        await Executable.AddUserAsync(data, "alice", Password);
        await using var gate = await GateProcess.StartAsync(data);
        var port = Ports.Free();
        await using var nginx = await (asTheReadmeSays ? NginxProcess.StartAsync(port, gate.Port) : NginxProcess.StartPlainAsync(port, gate.Port));
        using var client = await GateClient.RegisterAsync(gate.Origin);
        var token = (await client.SignInAsync("alice", Password)).AccessToken;
        using var http = new HttpClient { BaseAddress = new(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}")) };
        http.DefaultRequestHeaders.Host = new Uri(gate.Origin).Authority;
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);

        var opened = TimeProvider.System.GetTimestamp();
        using var stream = await http.GetAsync("/sse", HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        Assert.Equal((HttpStatusCode.OK, "text/event-stream"), (stream.StatusCode, stream.Content.Headers.ContentType!.MediaType));
        using var lines = new StreamReader(await stream.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken));
        Assert.Equal(": sallyport", await NextAsync(lines));
        Assert.Equal("event: endpoint", await NextAsync(lines));
        var endpoint = (await NextAsync(lines))["data: ".Length..];
        Assert.InRange(TimeProvider.System.GetElapsedTime(opened).TotalSeconds, 0, 5);

        using var posted = await http.PostAsync(endpoint, new StringContent("""{"jsonrpc":"2.0","id":7,"method":"ping"}""", MediaTypeHeaderValue.Parse("application/json")), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Accepted, posted.StatusCode);
        Assert.Equal("event: message", await NextAsync(lines));
        Assert.Contains("\"id\":7", await NextAsync(lines), StringComparison.Ordinal);
        Assert.InRange(TimeProvider.System.GetElapsedTime(opened).TotalSeconds, 0, 10);

        Assert.Equal(": ", await NextAsync(lines));
        Assert.InRange(TimeProvider.System.GetElapsedTime(opened).TotalSeconds, 14, 30);
    }

    /// <summary>The next line that is not empty.</summary>
    private static async Task<string> NextAsync(StreamReader lines)
    {
        while (true)
        {
            var line = await lines.ReadLineAsync(TestContext.Current.CancellationToken) ?? throw new EndOfStreamException();
            if (line.Length > 0)
                return line;
        }
    }
}
