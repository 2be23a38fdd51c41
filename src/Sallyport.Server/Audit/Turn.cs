namespace Sallyport.Server.Audit;

/// <summary>A place that a semaphore gave, which is given back once.</summary>
internal sealed class Turn(SemaphoreSlim semaphore) : IDisposable
{
    private SemaphoreSlim? _held = semaphore;

    public void Dispose() => Interlocked.Exchange(ref _held, null)?.Release();
}
