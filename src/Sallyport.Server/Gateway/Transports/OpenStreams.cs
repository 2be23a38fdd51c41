using Microsoft.AspNetCore.Http;

namespace Sallyport.Server.Gateway.Transports;

/// <summary>How many event streams are open to callers.</summary>
internal sealed class OpenStreams
{
    private int _open;

    public int Now => Volatile.Read(ref _open);

    /// <summary>Counts an answer until it is over, however it ends.</summary>
    public void Count(HttpResponse response)
    {
        Interlocked.Increment(ref _open);
        response.RegisterForDispose(new Place(this));
    }

    private sealed class Place(OpenStreams streams) : IDisposable
    {
        public void Dispose() => Interlocked.Decrement(ref streams._open);
    }
}
