using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Sallyport.Proof.Events;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Gateway.Upstreams;

/// <summary>
/// A conversation with a server that speaks newline-framed JSON-RPC over two streams: the built-in server, and any process's
/// stdio. Messages are bytes; nothing in them is read here.
/// </summary>
/// <param name="toServer">Its standard input.</param>
/// <param name="fromServer">Its standard output.</param>
/// <param name="server">What ends with the conversation.</param>
internal sealed class LineChannel(Stream toServer, Stream fromServer, IAsyncDisposable server) : IMessageChannel
{
    /// <summary>A long line is looked through once for each buffer of it.</summary>
    private static readonly StreamPipeReaderOptions s_reading = new(bufferSize: 16 * 1024, leaveOpen: true);

    private readonly SemaphoreSlim _sending = new(1, 1);
    private int _unsent;

    public Reason EndReason { get; private set; } = Reason.UpstreamEnded;

    /// <summary>
    /// Sends one message as one line. Line ends in it can only be white space between tokens, and become spaces. A server that does
    /// not read holds its callers back, as long as what waits is not too much.
    /// </summary>
    /// <exception cref="UpstreamException">The server is gone, or too much waits.</exception>
    public async Task SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        if (Interlocked.Add(ref _unsent, message.Length) > Limits.UnsentBytes)
        {
            Interlocked.Add(ref _unsent, -message.Length);
            throw new UpstreamException(Reason.SessionBusy, reached: false, "it does not read");
        }
        try
        {
            await _sending.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            Interlocked.Add(ref _unsent, -message.Length);
            throw;
        }
        // Not to be cancelled: a line that was begun is sent whole, and counts as sent.
        var writing = WriteAsync(message);
        try
        {
            if (!await writing.WaitAsync(cancellationToken))
                throw new UpstreamException(Reason.UpstreamEnded, reached: false, "it is gone");
        }
        catch (OperationCanceledException)
        {
        }
    }

    /// <summary>The server's lines, until it ends. A line that is too long ends it too.</summary>
    public async IAsyncEnumerable<byte[]> ReadAllAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var reader = PipeReader.Create(fromServer, s_reading);
        try
        {
            while (true)
            {
                var result = await ReadAsync(reader, cancellationToken);
                var buffer = result.Buffer;
                while (buffer.PositionOf((byte)'\n') is { } end)
                {
                    var line = buffer.Slice(0, end).ToArray();
                    buffer = buffer.Slice(buffer.GetPosition(1, end));
                    // A carriage return would end a line of an event stream.
                    line.AsSpan().Replace((byte)'\r', (byte)' ');
                    if (line.Length > Limits.MessageBytes)
                    {
                        EndReason = Reason.UpstreamMalformed;
                        yield break;
                    }
                    if (line.AsSpan().ContainsAnyExcept((byte)' ', (byte)'\t'))
                        yield return line;
                }
                if (buffer.Length > Limits.MessageBytes)
                    EndReason = Reason.UpstreamMalformed;
                if (result.IsCompleted || buffer.Length > Limits.MessageBytes)
                    yield break;
                reader.AdvanceTo(buffer.Start, buffer.End);
            }
        }
        finally
        {
            await reader.CompleteAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await toServer.DisposeAsync();
        await server.DisposeAsync();
        await fromServer.DisposeAsync();
    }

    /// <summary>A server that broke off has ended.</summary>
    private static async Task<ReadResult> ReadAsync(PipeReader reader, CancellationToken cancellationToken)
    {
        try
        {
            return await reader.ReadAsync(cancellationToken);
        }
        catch (IOException)
        {
            return new(ReadOnlySequence<byte>.Empty, isCanceled: false, isCompleted: true);
        }
    }

    /// <summary>False when the server is gone.</summary>
    private async Task<bool> WriteAsync(ReadOnlyMemory<byte> message)
    {
        var line = ArrayPool<byte>.Shared.Rent(message.Length + 1);
        try
        {
            message.CopyTo(line);
            line.AsSpan(0, message.Length).Replace((byte)'\n', (byte)' ');
            line.AsSpan(0, message.Length).Replace((byte)'\r', (byte)' ');
            line[message.Length] = (byte)'\n';
            await toServer.WriteAsync(line.AsMemory(0, message.Length + 1), CancellationToken.None);
            await toServer.FlushAsync(CancellationToken.None);
            return true;
        }
        catch (Exception exception) when (exception is IOException or InvalidOperationException or ObjectDisposedException or OperationCanceledException)
        {
            return false;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(line);
            Interlocked.Add(ref _unsent, -message.Length);
            _sending.Release();
        }
    }
}
