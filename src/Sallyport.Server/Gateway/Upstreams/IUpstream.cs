using Sallyport.Server.Configuration;
using Sallyport.Server.Gateway.Guard;

namespace Sallyport.Server.Gateway.Upstreams;

internal enum UpstreamTransport
{
    /// <summary>In this process.</summary>
    BuiltIn,
    /// <summary>Of a process, as lines.</summary>
    Stdio,
    StreamableHttp,
    /// <summary>HTTP+SSE, of revision 2024-11-05.</summary>
    Sse,
}

/// <summary>What a server was found to be.</summary>
/// <param name="Revisions">Those that it said it speaks, the newest first; not all of them may be known.</param>
/// <param name="Server">What it calls itself.</param>
internal sealed record UpstreamNature(UpstreamTransport Transport, IReadOnlyList<string> Revisions, string? Server);

/// <summary>An MCP server behind the gate.</summary>
internal interface IUpstream
{
    UpstreamSetting Setting { get; }

    /// <summary>What it was found to be, if that is known.</summary>
    UpstreamNature? Known { get; }

    /// <summary>What it is; it is asked where that is not known yet.</summary>
    /// <exception cref="UpstreamException">It gave no usable answer.</exception>
    ValueTask<UpstreamNature> LearnAsync(CancellationToken cancellationToken);

    /// <summary>Opens a conversation for a session of ours.</summary>
    /// <param name="caller">Who made the session's newest request.</param>
    /// <exception cref="UpstreamException">It could not be opened.</exception>
    ValueTask<IMessageChannel> OpenAsync(string session, Func<Caller> caller, CancellationToken cancellationToken);
}
