using System.Collections.Concurrent;
using Microsoft.AspNetCore.Http;
using Sallyport.Proof.Events;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Pipeline;

/// <summary>A request that the gate sent itself, and what became of it here.</summary>
internal sealed class OwnRequest(string mark, string method, string path)
{
    /// <summary>128 random bits, good once.</summary>
    public string Mark => mark;
    public string Method => method;
    public string Path => path;
    /// <summary>Why it was refused; null while it was not.</summary>
    public Reason? Reason { get; private set; }
    /// <summary>Its token was good, and the gate answered it.</summary>
    public bool Passed { get; private set; }

    public void Refused(Reason reason) => Reason = reason;

    public void Pass() => Passed = true;
}

/// <summary>
/// The requests that the gate has sent itself, through its public address, and that are under way. They are judged as everybody's are,
/// before anybody looks whether they are the gate's own: their mark decides nothing but which event tells of their refusal (docs/decisions/0050).
/// </summary>
internal sealed class OwnRequests
{
    public const string MarkHeader = "Sallyport-Heartbeat";

    private readonly ConcurrentDictionary<string, OwnRequest> _underWay = new(StringComparer.Ordinal);

    public OwnRequest Begin(string method, string path)
    {
        var request = new OwnRequest(RandomId.New(), method, path);
        _underWay[request.Mark] = request;
        return request;
    }

    /// <summary>From here on its mark means nothing, whether or not it has come.</summary>
    public void End(OwnRequest request) => _underWay.TryRemove(request.Mark, out _);

    /// <summary>The one that this is, once; null for everybody else's. Whoever saw the mark on its way cannot do with it what is not done for its own request.</summary>
    public OwnRequest? Take(HttpContext context) =>
        context.Request.Headers.TryGetValue(MarkHeader, out var marks) && marks is [{ } mark]
        && _underWay.TryGetValue(mark, out var request) && request.Method == context.Request.Method && request.Path == context.Request.Path
        && _underWay.TryRemove(mark, out _)
            ? request
            : null;
}
