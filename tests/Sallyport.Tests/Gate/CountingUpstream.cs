using System.Net.Sockets;

namespace Sallyport.Tests.Gate;

/// <summary>An upstream that answers nothing and counts every byte that reaches it.</summary>
internal sealed class CountingUpstream : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource _touched = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _accepting;
    private long _bytes;

    public CountingUpstream()
    {
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public string Url => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/mcp";

    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>Done when the first byte has arrived.</summary>
    public Task Touched => _touched.Task;

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Stop();
        await _accepting;
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var connection = await _listener.AcceptTcpClientAsync(_stopping.Token);
                _ = ReadAsync(connection);
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException)
        {
        }
    }

    private async Task ReadAsync(TcpClient connection)
    {
        using var held = connection;
        var buffer = new byte[4096];
        try
        {
            while (await connection.GetStream().ReadAsync(buffer, _stopping.Token) is > 0 and var read)
            {
                Interlocked.Add(ref _bytes, read);
                _touched.TrySetResult();
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException)
        {
        }
    }
}
