namespace Sallyport.Server.Gateway.Upstreams.Processes;

/// <summary>
/// How the program is started that stands between the gate and a server's process: it leads the process group, takes the end of its
/// standard input for the end of the gate, and leaves nothing behind.
/// </summary>
/// <param name="File">The program.</param>
/// <param name="Arguments">What stands before the names of its own variables, the command and its arguments.</param>
internal sealed record Supervision(string File, IReadOnlyList<string> Arguments)
{
    /// <summary>The end of a server: how long it is let end by itself, and again after SIGTERM. Then comes SIGKILL.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
}
