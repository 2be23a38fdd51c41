using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Sallyport.EndToEnd.Support;

/// <summary>
/// An MCP server of every revision that counts each byte that reaches it, answers every request with what it got, and says more in its
/// headers than is good for a client.
/// </summary>
internal sealed partial class CountingServer : IAsyncDisposable
{
    private const string HeadEnd = "\r\n\r\n";
    /// <summary>Serves for <c>server/discover</c> and <c>initialize</c>.</summary>
    private const string Nature = """
        "supportedVersions":["2026-07-28","2025-11-25","2025-06-18","2025-03-26"],"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"counting","version":"1"}
        """;
    private const string OwnWords =
        "Set-Cookie: theirs=1\r\nAccess-Control-Allow-Origin: *\r\nServer: theirs\r\nX-Powered-By: theirs\r\nWWW-Authenticate: Bearer realm=\"theirs\"\r\nLocation: http://theirs.example/\r\n"
        + "Keep-Alive: timeout=600\r\nTrailer: X-Theirs\r\nUpgrade: theirs\r\n";

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _accepting;
    private long _bytes;
    private int _sessions;

    public CountingServer()
    {
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public string Url => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/mcp";

    public long Bytes => Volatile.Read(ref _bytes);

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Stop();
        await _accepting;
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
                _ = AnswerAsync(await _listener.AcceptTcpClientAsync(_stopping.Token));
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException)
        {
        }
    }

    private async Task AnswerAsync(TcpClient connection)
    {
        using var held = connection;
        try
        {
            var stream = connection.GetStream();
            var received = new StringBuilder();
            var buffer = new byte[4096];
            while (!IsWhole(received.ToString()) && await stream.ReadAsync(buffer, _stopping.Token) is > 0 and var read)
            {
                Interlocked.Add(ref _bytes, read);
                received.Append(Encoding.Latin1.GetString(buffer, 0, read));
            }
            if (received.Length > 0)
                await stream.WriteAsync(Encoding.Latin1.GetBytes(AnswerTo(received.ToString())), _stopping.Token);
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException)
        {
        }
    }

    private static bool IsWhole(string request) =>
        request.IndexOf(HeadEnd, StringComparison.Ordinal) is >= 0 and var end
        && (Length().Match(request) is not { Success: true } length || request.Length - end - HeadEnd.Length >= int.Parse(length.Groups[1].Value, CultureInfo.InvariantCulture));

    /// <summary>As bytes, one a character. A POST gets its own text back in its result, a GET in the one event of a stream.</summary>
    private string AnswerTo(string request)
    {
        var (head, body) = request.Split(HeadEnd, 2) is [var first, var second] ? (first, second) : (request, "");
        var got = $"\"head\":\"{JsonEncodedText.Encode(head)}\"";
        if (head.StartsWith("GET ", StringComparison.Ordinal))
            return Answer("200 OK", "text/event-stream", $"data: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{{{got}}}}}\n\n");
        if (body.Length == 0)
            return Answer("200 OK", "application/json", "");
        using var parsed = JsonDocument.Parse(Encoding.Latin1.GetBytes(body));
        var message = parsed.RootElement.ValueKind == JsonValueKind.Array ? parsed.RootElement[0] : parsed.RootElement;
        if (!message.TryGetProperty("id", out var id))
            return Answer("202 Accepted", "application/json", "");
        var opens = message.TryGetProperty("method", out var method) && method.ValueEquals("initialize");
        return Answer("200 OK", "application/json",
            $"{{\"jsonrpc\":\"2.0\",\"id\":{id.GetRawText()},\"result\":{{{Nature},{got},\"message\":{body}}}}}",
            opens ? $"Mcp-Session-Id: theirs-{Interlocked.Increment(ref _sessions)}\r\n" : "");
    }

    private static string Answer(string status, string type, string content, string session = "") =>
        string.Create(CultureInfo.InvariantCulture, $"HTTP/1.1 {status}\r\nContent-Type: {type}\r\nContent-Length: {content.Length}\r\n{session}{OwnWords}Connection: close\r\n\r\n{content}");

    [GeneratedRegex("^Content-Length: ([0-9]+)", RegexOptions.Multiline | RegexOptions.IgnoreCase)]
    private static partial Regex Length();
}
