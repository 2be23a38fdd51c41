using Microsoft.Win32.SafeHandles;
using Sallyport.Server.Audit;

namespace Sallyport.Tests.Audit;

public class JournalSyncTests
{
    [Fact]
    public async Task A_sync_that_is_overtaken_by_the_end_of_its_segment_ends_like_any_other()
    {
        using var data = new TestData();
        Directory.CreateDirectory(data.Log);
        using var first = new SlowFile(JournalFiles.PathOf(data.Log, 0));
        var options = new JournalOptions { SegmentBytes = 2_000, Open = path => File.Exists(path) ? first : JournalFiles.OpenFile(path) };
        await using var journal = new Journal(data.Log, new(first, 0, 0, 0, null), options, TimeProvider.System, static _ => { });
        var leaf = AuditEventJson.Write(new AccessRefused { Id = "id", Reason = Reason.TokenMissing, HttpMethod = "GET", Path = "/", Status = 401 });

        await journal.AppendAsync(leaf);
        var sync = journal.SyncAsync();
        await first.Syncing.Task;
        first.Sync = sync;
        while (JournalFiles.Segments(data.Log).Count == 1)
            await journal.AppendAsync(leaf);

        Assert.Equal(1, await sync);
    }

    /// <summary>Whoever wants to sync it waits until it is closed, and whoever closes it until that sync has ended.</summary>
    private sealed class SlowFile(string path) : FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read, bufferSize: 0)
    {
        private readonly ManualResetEventSlim _closed = new();

        public TaskCompletionSource Syncing { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
        public Task Sync { get; set; } = Task.CompletedTask;

        public override SafeFileHandle SafeFileHandle
        {
            get
            {
                Syncing.TrySetResult();
                _closed.Wait();
                return base.SafeFileHandle;
            }
        }

        protected override void Dispose(bool disposing)
        {
            base.Dispose(disposing);
            _closed.Set();
            Sync.ContinueWith(static _ => { }, TaskScheduler.Default).Wait();
        }
    }
}
