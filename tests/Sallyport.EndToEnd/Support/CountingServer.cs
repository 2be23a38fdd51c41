using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Sallyport.EndToEnd.Support;

/// <summary>An MCP server that answers every request with an empty result, and counts each byte that reaches it.</summary>
internal sealed class CountingServer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _accepting;
    private long _bytes;

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
            var request = new StringBuilder();
            var buffer = new byte[4096];
            // The gate's messages are JSON objects: the last brace is the end of one.
            while (!request.ToString().EndsWith('}') && await stream.ReadAsync(buffer, _stopping.Token) is > 0 and var read)
            {
                Interlocked.Add(ref _bytes, read);
                request.Append(Encoding.Latin1.GetString(buffer, 0, read));
            }
            const string Answer = """{"jsonrpc":"2.0","id":1,"result":{}}""";
            await stream.WriteAsync(
                Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {Answer.Length}\r\nConnection: close\r\n\r\n{Answer}"), _stopping.Token);
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException)
        {
        }
    }
}
