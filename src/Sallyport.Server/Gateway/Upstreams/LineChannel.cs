using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Gateway.Upstreams;

/// <summary>
/// A conversation with a server that speaks newline-framed JSON-RPC over two streams: the built-in server, and any process's
/// stdio. Messages are bytes; nothing in them is read here.
/// </summary>
internal sealed class LineChannel(Stream toServer, Stream fromServer, IAsyncDisposable server) : IMessageChannel
{
    private readonly SemaphoreSlim _sending = new(1, 1);

    /// <summary>Sends one message as one line. Line ends in it can only be white space between tokens, and become spaces.</summary>
    /// <exception cref="IOException">The server is gone.</exception>
    public async Task SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        var line = new byte[message.Length + 1];
        message.CopyTo(line);
        line.AsSpan(0, message.Length).Replace((byte)'\n', (byte)' ');
        line.AsSpan(0, message.Length).Replace((byte)'\r', (byte)' ');
        line[^1] = (byte)'\n';
        await _sending.WaitAsync(cancellationToken);
        try
        {
            // Not to be cancelled: a line that was begun is sent whole, and has then been sent.
            await toServer.WriteAsync(line, CancellationToken.None);
            await toServer.FlushAsync(CancellationToken.None);
        }
        catch (Exception exception) when (exception is InvalidOperationException or ObjectDisposedException)
        {
            throw new IOException("The server is gone", exception);
        }
        finally
        {
            _sending.Release();
        }
    }

    /// <summary>The server's lines, until it ends. A line that is too long ends it too.</summary>
    public async IAsyncEnumerable<byte[]> ReadAllAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var reader = PipeReader.Create(fromServer);
        while (true)
        {
            var result = await reader.ReadAsync(cancellationToken);
            var buffer = result.Buffer;
            while (buffer.PositionOf((byte)'\n') is { } end)
            {
                var line = buffer.Slice(0, end).ToArray();
                buffer = buffer.Slice(buffer.GetPosition(1, end));
                // A carriage return would end a line of an event stream.
                line.AsSpan().Replace((byte)'\r', (byte)' ');
                if (line.AsSpan().ContainsAnyExcept((byte)' ', (byte)'\t'))
                    yield return line;
            }
            if (result.IsCompleted || buffer.Length > Limits.MessageBytes)
                yield break;
            reader.AdvanceTo(buffer.Start, buffer.End);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await toServer.DisposeAsync();
        await server.DisposeAsync();
        await fromServer.DisposeAsync();
    }
}
