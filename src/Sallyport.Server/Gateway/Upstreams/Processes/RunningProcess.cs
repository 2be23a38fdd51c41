namespace Sallyport.Server.Gateway.Upstreams.Processes;

/// <summary>A process that takes a place until it and its children are gone.</summary>
internal sealed class RunningProcess : IAsyncDisposable
{
    private readonly ServerProcess _process;
    private readonly Task _watch;
    private volatile bool _isToEnd;
    private volatile bool _hasEnded;

    /// <param name="process">The process.</param>
    /// <param name="onEnd">Told when it has ended, and whether it did so by itself.</param>
    public RunningProcess(ServerProcess process, Action<bool> onEnd)
    {
        _process = process;
        _watch = WatchAsync(onEnd);
    }

    /// <summary>Its standard output ended. The process itself does a moment later, when its session may be closed already.</summary>
    public void HasEnded() => _hasEnded = true;

    public async ValueTask DisposeAsync()
    {
        _isToEnd = true;
        await _process.DisposeAsync();
        await _watch;
    }

    private async Task WatchAsync(Action<bool> onEnd)
    {
        await _process.Exit;
        onEnd(_hasEnded || !_isToEnd);
    }
}
