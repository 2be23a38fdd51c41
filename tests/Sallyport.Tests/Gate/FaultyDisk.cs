using Sallyport.Server.Audit;

namespace Sallyport.Tests.Gate;

/// <summary>The journal's files on a disk that a test can break: writes fail, hang, or are torn half-way.</summary>
internal sealed class FaultyDisk
{
    public bool Fails { get; set; }

    private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource? _hang;

    /// <summary>From now on writes hang until <see cref="GoOn"/>.</summary>
    public void Hang() => _hang = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Done when a write hangs.</summary>
    public Task Reached => _reached.Task;

    public void GoOn()
    {
        var hung = _hang!;
        _hang = null;
        hung.SetResult();
    }

    public JournalOptions Options => new() { Open = path => new FaultyFile(this, JournalFiles.OpenFile(path)) };

    private sealed class FaultyFile(FaultyDisk disk, Stream file) : Stream
    {
        public override bool CanRead => false;
        public override bool CanSeek => true;
        public override bool CanWrite => true;
        public override long Length => file.Length;
        public override long Position { get => file.Position; set => file.Position = value; }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (disk._hang is { } hang)
            {
                disk._reached.TrySetResult();
                hang.Task.GetAwaiter().GetResult();
            }
            if (disk.Fails)
            {
                // As a full disk does: a part of it is there.
                file.Write(buffer[..(buffer.Length / 2)]);
                throw new IOException("No space left on device");
            }
            file.Write(buffer);
        }

        public override Task FlushAsync(CancellationToken cancellationToken) => file.FlushAsync(cancellationToken);
        public override void Flush() => file.Flush();
        public override long Seek(long offset, SeekOrigin origin) => file.Seek(offset, origin);
        public override void SetLength(long value) => file.SetLength(value);
        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
        protected override void Dispose(bool disposing) => file.Dispose();
    }
}
