using System.IO.Pipelines;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;

namespace Sallyport.Tests.Gate;

/// <summary>Gives Kestrel its connections from memory: the whole of HTTP, and no port.</summary>
internal sealed class InMemoryListener : IConnectionListenerFactory
{
    /// <summary>The port of admin listeners; every other one is the gate's own.</summary>
    public const int AdminPort = 5001;

    private readonly Channel<ConnectionContext> _dialled = Channel.CreateUnbounded<ConnectionContext>();
    private readonly Channel<ConnectionContext> _dialledAdmin = Channel.CreateUnbounded<ConnectionContext>();

    /// <summary>Where clients are.</summary>
    public static readonly IPAddress Peer = IPAddress.Parse("203.0.113.7");

    /// <summary>The client's end of a new connection.</summary>
    public Stream Dial(IPAddress? from = null, bool toAdmin = false)
    {
        var toServer = new Pipe();
        var toClient = new Pipe();
        var closed = new CancellationTokenSource();
        (toAdmin ? _dialledAdmin : _dialled).Writer.TryWrite(new Connection(toServer.Reader, toServer.Writer, toClient.Writer, new(from ?? Peer, 40_000), closed.Token));
        return new ClientStream(toClient.Reader, toServer.Writer, closed);
    }

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) =>
        new(new Listener(endpoint, endpoint is IPEndPoint { Port: AdminPort } ? _dialledAdmin : _dialled));

    private sealed class Listener(EndPoint endpoint, Channel<ConnectionContext> dialled) : IConnectionListener
    {
        public EndPoint EndPoint => endpoint;

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default) =>
            await dialled.Reader.WaitToReadAsync(cancellationToken) && dialled.Reader.TryRead(out var connection) ? connection
            : dialled.Reader.Completion.IsCompleted ? null
            : await AcceptAsync(cancellationToken);

        public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
        {
            dialled.Writer.TryComplete();
            return ValueTask.CompletedTask;
        }

        public ValueTask DisposeAsync() => UnbindAsync(CancellationToken.None);
    }

    private sealed class Connection : ConnectionContext, IDuplexPipe, IConnectionItemsFeature
    {
        private readonly PipeReader _input;
        private readonly PipeWriter _client;
        private readonly PipeWriter _output;
        private readonly CancellationToken _closed;

        public Connection(PipeReader input, PipeWriter client, PipeWriter output, IPEndPoint peer, CancellationToken closed)
        {
            (_input, _client, _output, _closed, RemoteEndPoint) = (input, client, output, closed, peer);
            // Kestrel's own connections have it too.
            Features.Set<IConnectionItemsFeature>(this);
        }

        public PipeReader Input => _input;
        public PipeWriter Output => _output;
        public override IDuplexPipe Transport { get => this; set => throw new NotSupportedException(); }
        public override string ConnectionId { get; set; } = "in memory";
        public override IFeatureCollection Features { get; } = new FeatureCollection();
        public override IDictionary<object, object?> Items { get; set; } = new Dictionary<object, object?>();
        public override CancellationToken ConnectionClosed { get => _closed; set => throw new NotSupportedException(); }

        /// <summary>As that of a socket: nothing more comes, and who waits for the other end to read waits no more.</summary>
        public override void Abort(ConnectionAbortedException abortReason)
        {
            _client.Complete();
            _output.CancelPendingFlush();
        }

        public override async ValueTask DisposeAsync()
        {
            await _input.CompleteAsync();
            await _output.CompleteAsync();
        }
    }

    private sealed class ClientStream(PipeReader reader, PipeWriter writer, CancellationTokenSource closed) : Stream
    {
        private readonly Stream _read = reader.AsStream();
        private readonly Stream _write = writer.AsStream();

        public override bool CanRead => true;
        public override bool CanWrite => true;
        public override bool CanSeek => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, closed.Token);
            return await _read.ReadAsync(buffer, either.Token);
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => _write.WriteAsync(buffer, cancellationToken);
        public override Task FlushAsync(CancellationToken cancellationToken) => _write.FlushAsync(cancellationToken);
        public override void Flush() { }
        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static source => source.Cancel(), closed, preferLocal: false);
            reader.Complete();
            writer.Complete();
        }
    }
}
