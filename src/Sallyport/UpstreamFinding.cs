using Sallyport.Log;
using Sallyport.Proof;
using Sallyport.Proof.Events;
using Sallyport.Server.Configuration;
using Sallyport.Server.Gateway.Upstreams;
using Sallyport.Server.Gateway.Upstreams.Processes;

namespace Sallyport;

/// <summary>What was found out about an upstream, and what to do where it is not well.</summary>
/// <param name="Fault">Why it gave no usable answer.</param>
/// <param name="Problem">The same, in words.</param>
/// <param name="Advice">What to change, where the one who asked knows better than <see cref="Hint"/>.</param>
internal sealed record UpstreamFinding(UpstreamSetting Setting, UpstreamNature? Nature, Reason? Fault, string? Problem, string? Advice = null)
{
    /// <summary>Asks it, and waits no longer than that.</summary>
    public static async Task<UpstreamFinding> AskAsync(IUpstream upstream, TimeSpan limit, CancellationToken cancellationToken)
    {
        try
        {
            return new(upstream.Setting, await upstream.LearnAsync(cancellationToken).AsTask().WaitAsync(limit, TimeProvider.System, cancellationToken), null, null);
        }
        catch (UpstreamException exception)
        {
            return new(upstream.Setting, null, exception.Reason, exception.Message);
        }
        catch (UpstreamFaultException exception)
        {
            return new(upstream.Setting, null, Reason.UpstreamUnreachable, exception.Message, exception.Hint);
        }
        catch (TimeoutException)
        {
            return new(upstream.Setting, null, Reason.UpstreamTimeout, "it has not answered yet");
        }
    }

    public string Name => Setting.Name ?? "(root)";

    public string Address => Setting.Url?.ToString() ?? (Setting.Command.Count > 0 ? string.Join(' ', Setting.Command).ToPrintable() : null) ?? "Sallyport's own server: echo, whoami, oauth_status, recent_events";

    public string? Transport => Nature?.Transport switch
    {
        UpstreamTransport.StreamableHttp => "Streamable HTTP",
        UpstreamTransport.Sse => "HTTP+SSE",
        UpstreamTransport.Stdio => "stdio",
        UpstreamTransport.BuiltIn => "built in",
        _ => null,
    };

    /// <summary>One line behind the address; null where there is nothing to say.</summary>
    public string? Text => Nature switch
    {
        null => $"no usable answer ({Fault!.Value.Word()}): {Problem}. {Hint}",
        { Transport: UpstreamTransport.BuiltIn } => null,
        _ => $"{Transport}, {string.Join(" ", Nature.Revisions)}{(Nature.Server is { Length: > 0 } server ? $", {server.ToPrintable()}" : "")}",
    };

    /// <summary>What to change.</summary>
    public string? Hint => Advice ?? Fault switch
    {
        null => null,
        Reason.UpstreamUnreachable => "Start the server, or mend the address in --upstream",
        Reason.UpstreamTimeout => "Look at what keeps the server busy; is it an MCP server at all?",
        Reason.UpstreamRedirected => "Write the address that it redirects to: redirects are not followed",
        Reason.UpstreamRefused => "It wants a key of its own: give it one with --upstream-header Authorization=ENVVAR",
        Reason.UpstreamFailed => "Look into the server's own log",
        _ => "Write the address of an MCP endpoint, like http://127.0.0.1:3001/mcp, or http://127.0.0.1:3001/sse for a server of HTTP+SSE",
    };
}
