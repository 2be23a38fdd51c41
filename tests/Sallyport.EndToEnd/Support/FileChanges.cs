namespace Sallyport.EndToEnd.Support;

/// <summary>Waits for what another process does to its files.</summary>
internal static class FileChanges
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    /// <summary>Looks at each change in a folder until it is so.</summary>
    public static async Task UntilAsync(string folder, Func<bool> condition, Func<string> otherwise)
    {
        var changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        void Changed() => Interlocked.Exchange(ref changed, new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
        using var watcher = new FileSystemWatcher(folder);
        watcher.Changed += (_, _) => Changed();
        watcher.Created += (_, _) => Changed();
        watcher.Renamed += (_, _) => Changed();
        watcher.EnableRaisingEvents = true;
        while (true)
        {
            // Taken before the look: what changes meanwhile is a reason to look again.
            var next = Volatile.Read(ref changed).Task;
            if (condition())
                return;
            try
            {
                await next.WaitAsync(s_limit, TimeProvider.System, TestContext.Current.CancellationToken);
            }
            catch (TimeoutException exception)
            {
                // What is not in the folder may have come about without a change there.
                if (condition())
                    return;
                throw new TimeoutException(otherwise(), exception);
            }
        }
    }
}
