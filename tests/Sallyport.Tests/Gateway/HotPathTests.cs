using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Sallyport.Tests.Gateway;

/// <summary>Alone, because the memory of the whole process is what is measured.</summary>
[CollectionDefinition(nameof(HotPathTests), DisableParallelization = true)]
[Collection(nameof(HotPathTests))]
public class HotPathTests
{
    /// <summary>
    /// Some 3.1 KB of it are bare YARP's. Measured as 7.5 KB when this was written: whoever needs more has to say here what for.
    /// Without optimisation each asynchronous call takes an object more.
    /// </summary>
#if DEBUG
    private const long MostBytesPerRequest = 14_000;
#else
    private const long MostBytesPerRequest = 8_000;
#endif

    /// <summary>Beyond that, what metrics take where somebody looks at them. Measured as 720 bytes.</summary>
    private const long MostBytesOfMetrics = 900;

    private const int Requests = 1_000;

    private const string Answer =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 41\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"hello\"}";

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_relayed_tool_call_with_its_records_takes_no_more_memory_than_it_is_given(bool isMeasured)
    {
        using var upstream = new TcpListener(IPAddress.Loopback, 0);
        upstream.Start();
        var serving = new Thread(() => Serve(upstream));
        serving.Start();
        var port = ((IPEndPoint)upstream.LocalEndpoint).Port;
        await using var gate = await TestGate.StartAsync(new()
        {
            OverSockets = true,
            Settings = settings =>
            {
                settings.Upstreams = [string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}/mcp")];
                settings.AdminUrls = isMeasured ? string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{TestGate.FreePort()}") : null;
            },
        });
        var tokens = await (await TestClient.RegisterAsync(gate)).TokensAsync();
        var body = Messages.Call(1, "echo", new { message = "hello" });
        var request = Encoding.UTF8.GetBytes(
            $"POST /mcp HTTP/1.1\r\nHost: {new Uri(gate.Url).Authority}\r\nAuthorization: Bearer {tokens.AccessToken}\r\nAccept: application/json, text/event-stream\r\n"
            + $"Content-Type: application/json\r\nMCP-Protocol-Version: 2025-11-25\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\n\r\n{body}");
        using var client = new Socket(SocketType.Stream, ProtocolType.Tcp);
        client.Connect(IPAddress.Loopback, new Uri(gate.Url).Port);
        var buffer = new byte[16 * 1024];
        for (var i = 0; i < Requests; i++)
            Call(client, request, buffer);

        var before = GC.GetTotalAllocatedBytes(precise: true);
        for (var i = 0; i < Requests; i++)
            Call(client, request, buffer);
        var perRequest = (GC.GetTotalAllocatedBytes(precise: true) - before) / Requests;

        TestContext.Current.TestOutputHelper?.WriteLine($"{perRequest} bytes a request");
        Assert.InRange(perRequest, 1, MostBytesPerRequest + (isMeasured ? MostBytesOfMetrics : 0));
        Assert.True(gate.Events<AccessAllowed>().Count >= 2 * Requests);
        upstream.Stop();
    }

    private static void Call(Socket client, byte[] request, byte[] buffer)
    {
        client.Send(request);
        var read = 0;
        // The answer is chunked or not; it ends with the message, or with the last chunk behind it.
        do
        {
            var more = client.Receive(buffer, read, buffer.Length - read, SocketFlags.None);
            if (more == 0)
                throw new InvalidOperationException("The gate has closed: " + Encoding.UTF8.GetString(buffer, 0, read));
            read += more;
        }
        while (!buffer.AsSpan(0, read).TrimEnd("\r\n0"u8).EndsWith("\"hello\"}"u8));
        if (!buffer.AsSpan(0, read).StartsWith("HTTP/1.1 200"u8))
            throw new InvalidOperationException(Encoding.UTF8.GetString(buffer, 0, read));
    }

    /// <summary>Answers on a thread of its own, without allocating.</summary>
    private static void Serve(TcpListener listener)
    {
        var answer = Encoding.UTF8.GetBytes(Answer);
        var buffer = new byte[16 * 1024];
        try
        {
            while (true)
            {
                using var connection = listener.AcceptSocket();
                for (var read = 0; ;)
                {
                    var more = connection.Receive(buffer, read, buffer.Length - read, SocketFlags.None);
                    if (more == 0)
                        break;
                    read += more;
                    if (!buffer.AsSpan(0, read).EndsWith("}"u8))
                        continue;
                    connection.Send(answer);
                    read = 0;
                }
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException or InvalidOperationException)
        {
            // The test is over.
        }
    }
}
