using System.Text;
using System.Text.RegularExpressions;
using Sallyport.EndToEnd.Attacks;
using Sallyport.EndToEnd.Support;

namespace Sallyport.EndToEnd;

/// <summary>A gate before a server that counts what reaches it, by itself and behind nginx, and somebody with a good token.</summary>
public sealed class GateBehindNginx : IAsyncLifetime
{
    private const string Password = "correct horse battery staple";

    private readonly DataFolder _data = new();
    private GateProcess _gate = null!;
    private NginxProcess _nginx = null!;

    internal CountingServer Upstream { get; } = new();
    internal int GatePort => _gate.Port;
    internal int NginxPort { get; } = Ports.Free();
    internal string Token { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        await Executable.AddUserAsync(_data, "alice", Password);
        _gate = await GateProcess.StartAsync(_data, "--upstream", Upstream.Url);
        _nginx = await NginxProcess.StartAsync(NginxPort, _gate.Port);
        using var client = await GateClient.RegisterAsync(_gate.Origin);
        Token = (await client.SignInAsync("alice", Password)).AccessToken;
    }

    public async ValueTask DisposeAsync()
    {
        await _nginx.DisposeAsync();
        await _gate.DisposeAsync();
        await Upstream.DisposeAsync();
        _data.Dispose();
    }
}

/// <summary>
/// PATH-08, PATH-09, PATH-10, PATH-15: requests whose end, target or header one reader sees in one place and the next one in another. Who sends
/// them has a good token, and a second request hidden in the first.
/// </summary>
public sealed partial class FramingTests(GateBehindNginx place) : IClassFixture<GateBehindNginx>
{
    private const string Message = """{"jsonrpc":"2.0","id":1,"method":"tools/list"}""";
    private const string Hidden = "GET /hidden HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n";
    private const string Chunked = "Transfer-Encoding: chunked\r\n\r\n2e\r\n" + Message + "\r\n0\r\n\r\n";

    private static readonly Dictionary<string, string> s_requests = new()
    {
        ["a length beside chunks"] = "POST /mcp HTTP/1.1\r\n{headers}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + Hidden,
        ["a length beside a good message in chunks"] = "POST /mcp HTTP/1.1\r\n{headers}Content-Length: 6\r\n" + Chunked + Hidden,
        ["chunks beside a length"] = "POST /mcp HTTP/1.1\r\n{headers}Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n" + Hidden,
        ["chunked twice"] = "POST /mcp HTTP/1.1\r\n{headers}Transfer-Encoding: chunked\r\n" + Chunked + Hidden,
        ["a blank before the colon"] = "POST /mcp HTTP/1.1\r\n{headers}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + Hidden,
        ["a tab before the colon"] = "POST /mcp HTTP/1.1\r\n{headers}Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n" + Hidden,
        ["an encoding that is none"] = "POST /mcp HTTP/1.1\r\n{headers}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + Hidden,
        ["chunked before another one"] = "POST /mcp HTTP/1.1\r\n{headers}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + Hidden,
        ["a line feed alone in a chunk's extension"] = "POST /mcp HTTP/1.1\r\n{headers}Transfer-Encoding: chunked\r\n\r\n2;\nxx\r\n{}\r\n0\r\n\r\n" + Hidden,
        ["a line feed alone after a chunk's size"] = "POST /mcp HTTP/1.1\r\n{headers}Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n" + Hidden,
        ["a chunk of a size beyond all numbers"] = "POST /mcp HTTP/1.1\r\n{headers}Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF2\r\n{}\r\n0\r\n\r\n" + Hidden,
        ["a chunk of a negative size"] = "POST /mcp HTTP/1.1\r\n{headers}Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n" + Hidden,
        ["a chunk of 0x2"] = "POST /mcp HTTP/1.1\r\n{headers}Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n" + Hidden,
        ["two lengths"] = "POST /mcp HTTP/1.1\r\n{headers}Content-Length: 0\r\nContent-Length: 2\r\n\r\n{}" + Hidden,
        ["a list of lengths"] = "POST /mcp HTTP/1.1\r\n{headers}Content-Length: 0, 2\r\n\r\n{}" + Hidden,
        ["a negative length"] = "POST /mcp HTTP/1.1\r\n{headers}Content-Length: -2\r\n\r\n{}" + Hidden,
        ["a length beyond all numbers"] = "POST /mcp HTTP/1.1\r\n{headers}Content-Length: 18446744073709551618\r\n\r\n{}" + Hidden,
        ["chunks of HTTP/1.0"] = "POST /mcp HTTP/1.0\r\n{headers}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + Hidden,
        ["a header that goes on in the next line"] = "POST /mcp HTTP/1.1\r\n{headers}X-Long: a\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + Hidden,
        ["a header without a colon"] = "POST /mcp HTTP/1.1\r\n{headers}Content-Length 2\r\n\r\n{}" + Hidden,
        ["a zero in a header"] = "POST /mcp HTTP/1.1\r\n{headers}X-Zero: a\0b\r\nContent-Length: 2\r\n\r\n{}" + Hidden,
        ["a carriage return alone in a header"] = "POST /mcp HTTP/1.1\r\n{headers}X-Return: a\rContent-Length: 99\r\nContent-Length: 2\r\n\r\n{}" + Hidden,
        ["two hosts"] = "POST /mcp HTTP/1.1\r\n{headers}Host: other.example\r\nContent-Length: 2\r\n\r\n{}" + Hidden,
        ["no host"] = "POST /mcp HTTP/1.1\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}" + Hidden,
        ["a target of another server"] = "POST http://internal.example/mcp HTTP/1.1\r\n{headers}Connection: close\r\nContent-Length: 2\r\n\r\n{}",
        ["a tunnel"] = "CONNECT internal.example:80 HTTP/1.1\r\n{headers}Connection: close\r\n\r\n",
        ["a trace"] = "TRACE /mcp HTTP/1.1\r\n{headers}Connection: close\r\n\r\n",
        ["no target"] = "POST * HTTP/1.1\r\n{headers}Connection: close\r\nContent-Length: 2\r\n\r\n{}",
        ["a target that climbs"] = "POST /mcp/../hidden HTTP/1.1\r\n{headers}Connection: close\r\nContent-Length: 2\r\n\r\n{}",
        ["a blank in the target"] = "POST /mcp hidden HTTP/1.1\r\n{headers}Content-Length: 2\r\n\r\n{}" + Hidden,
        ["HTTP/9"] = "POST /mcp HTTP/9.0\r\n{headers}Content-Length: 2\r\n\r\n{}" + Hidden,
    };

    public static TheoryData<string, bool> Requests =>
        [.. s_requests.Keys.SelectMany(name => new[] { (name, false), (name, true) })];

    [Theory]
    [MemberData(nameof(Requests))]
    public async Task Nothing_of_it_goes_through_and_the_connection_ends(string name, bool behindNginx)
    {
        var before = place.Upstream.Bytes;

        var answer = await SendAsync(behindNginx, s_requests[name]);

        var statuses = Status().Matches(answer).Select(match => match.Groups[1].Value).ToList();
        Assert.All(statuses, status => Assert.Matches("4\\d\\d|50[015]", status));
        // What nginx makes of it, it writes anew: the gate does not see it in two ways.
        Assert.True(behindNginx ? statuses.Count > 0 : statuses.Count == 1, answer);
        Assert.Equal(before, place.Upstream.Bytes);
    }

    /// <summary>Kestrel tells nobody of the sign. A proxy that took it for another number, or for none, would have to pass it on, which RFC 9112 §6.3 forbids.</summary>
    [Fact]
    public async Task A_length_with_a_sign_is_that_number_and_nginx_does_not_pass_it_on()
    {
        var request = $"POST /mcp HTTP/1.1\r\n{{headers}}Connection: close\r\nContent-Length: +{Message.Length}\r\n\r\n{Message}";

        var itself = await SendAsync(behindNginx: false, request);
        var behindNginx = await SendAsync(behindNginx: true, request);

        Assert.Equal("200", Assert.Single(Status().Matches(itself)).Groups[1].Value);
        Assert.Equal("400", Assert.Single(Status().Matches(behindNginx)).Groups[1].Value);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task HTTP_2_is_not_spoken_without_its_negotiation(bool behindNginx)
    {
        var answer = await SendAsync(behindNginx, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u0004\0\0\0\0\0");

        Assert.DoesNotMatch("^HTTP/1\\.1 [123]", answer);
    }

    /// <summary>Streams that are reset as soon as they are opened (CVE-2023-44487), and headers that go on without end (CVE-2024-27316).</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task DOS_12_A_flood_of_HTTP_2_is_no_request_and_is_in_nobodys_way(bool behindNginx)
    {
        static byte[] Frame(byte type, byte flags, int stream, ReadOnlySpan<byte> payload) =>
            [0, (byte)(payload.Length >> 8), (byte)payload.Length, type, flags, (byte)(stream >> 24), (byte)(stream >> 16), (byte)(stream >> 8), (byte)stream, .. payload];
        byte[] preface = [.. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8, .. Frame(4, 0, 0, [])];
        byte[] resets = [.. preface, .. Enumerable.Range(0, 1_000).SelectMany(i => (byte[])[.. Frame(1, 5, (2 * i) + 1, [0x82, 0x84, 0x86]), .. Frame(3, 0, (2 * i) + 1, [0, 0, 0, 8])])];
        byte[] endless = [.. preface, .. Frame(1, 0, 1, [0x82, 0x84, 0x86]), .. Enumerable.Range(0, 1_000).SelectMany(_ => Frame(9, 0, 1, new byte[1_000]))];
        byte[] upgrade = [.. Encoding.ASCII.GetBytes($"GET /healthz HTTP/1.1\r\nHost: localhost:{place.GatePort}\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n")];
        var (port, before) = (behindNginx ? place.NginxPort : place.GatePort, place.Upstream.Bytes);

        var flood = Enumerable.Range(0, 25).SelectMany(_ => (byte[][])[resets, endless]).Select(SendAsync).ToList();
        var upgraded = await SendAsync(upgrade);
        var answers = await Task.WhenAll(flood);

        Assert.All(answers, answer => Assert.DoesNotMatch("^HTTP/1\\.1 [123]", answer));
        Assert.StartsWith("HTTP/1.1 200", upgraded, StringComparison.Ordinal);
        Assert.Equal(before, place.Upstream.Bytes);
        await What_is_as_it_should_be_goes_through(behindNginx);

        async Task<string> SendAsync(byte[] bytes)
        {
            try
            {
                return Encoding.Latin1.GetString(await RawConnection.ExchangeAsync(port, bytes));
            }
            catch (IOException)
            {
                // Cut off before it had read all, the answer with it.
                return "";
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_is_as_it_should_be_goes_through(bool behindNginx)
    {
        var before = place.Upstream.Bytes;

        var byLength = await SendAsync(behindNginx, $"POST /mcp HTTP/1.1\r\n{{headers}}Connection: close\r\nContent-Length: {Message.Length}\r\n\r\n{Message}");
        var inChunks = await SendAsync(behindNginx, "POST /mcp HTTP/1.1\r\n{headers}Connection: close\r\n" + Chunked);

        Assert.StartsWith("HTTP/1.1 200", byLength, StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 200", inChunks, StringComparison.Ordinal);
        Assert.InRange(place.Upstream.Bytes, before + (2 * Message.Length), long.MaxValue);
    }

    [GeneratedRegex("^HTTP/1\\.1 (\\d{3}) ", RegexOptions.Multiline)]
    private static partial Regex Status();

    /// <summary>Gives all that comes until the connection ends.</summary>
    private async Task<string> SendAsync(bool behindNginx, string request)
    {
        var port = behindNginx ? place.NginxPort : place.GatePort;
        // The public one, whichever is asked.
        var host = $"localhost:{place.GatePort}";
        var text = request
            .Replace("{headers}", "Host: {host}\r\nAuthorization: Bearer {token}\r\nAccept: application/json, text/event-stream\r\nContent-Type: application/json\r\nMCP-Protocol-Version: 2025-06-18\r\n", StringComparison.Ordinal)
            .Replace("{host}", host, StringComparison.Ordinal)
            .Replace("{token}", place.Token, StringComparison.Ordinal);
        return Encoding.Latin1.GetString(await RawConnection.ExchangeAsync(port, Encoding.Latin1.GetBytes(text)));
    }
}
