using System.ComponentModel;
using System.Globalization;
using System.Text;
using Sallyport.Server.Configuration;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Gateway.Upstreams.Processes;

/// <summary>Starts a command and asks it which revisions it speaks, as a client of both eras does (2026-07-28, stdio, "Backward Compatibility").</summary>
/// <remarks>
///     [server/discover] ▶ the revisions without sessions ▶ [initialize] ▶ those with sessions
///
/// Both are asked of one process. An older server may drop what it does not know: after a while it is asked the second all the same. One
/// that ends instead of an answer is started again, and asked the second only.
/// </remarks>
/// <param name="start">Starts the program at that path.</param>
/// <param name="record">Records what is about to be said to it.</param>
internal sealed class ProcessProbe(IReadOnlyList<string> command, Func<string, ServerProcess> start, Func<ValueTask> record, TimeProvider time)
{
    /// <summary>A first start may have to download the server.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);
    /// <summary>Whoever says nothing to <c>server/discover</c> for so long may not know it.</summary>
    private static readonly TimeSpan s_silence = TimeSpan.FromSeconds(5);
    private const int ShownLength = 100;
    /// <summary>A shell's own words: there is no such program, or it may not be run.</summary>
    private const int NotFound = 127, NotExecutable = 126;

    /// <exception cref="UpstreamFaultException">The command does not work.</exception>
    public async Task<UpstreamNature> AskAsync(CancellationToken cancellationToken)
    {
        var file = ProcessCommand.Find(command[0])
            ?? throw new UpstreamFaultException($"There is no program '{command[0]}'", "Check its spelling and PATH; a path of its own contains a /");
        await record();
        using var limit = new CancellationTokenSource(s_patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        return await AskAsync(file, discovers: true, limit.Token, either.Token)
            ?? (await AskAsync(file, discovers: false, limit.Token, either.Token))!;
    }

    /// <returns>Null when it ended without an answer, and need not have if it had not been asked <c>server/discover</c>.</returns>
    private async Task<UpstreamNature?> AskAsync(string file, bool discovers, CancellationToken limit, CancellationToken cancellationToken)
    {
        var process = Start(file);
        await using var channel = new LineChannel(process.Input, process.Output, process);
        var asking = new Asking(process);
        var sending = SendAsync(channel, discovers, asking.Discovered.Task, cancellationToken);
        try
        {
            await foreach (var line in channel.ReadAllAsync(cancellationToken))
            {
                if (asking.Hears(line) is { } nature)
                    return nature;
                if (asking.IsRefused)
                    throw Fault(process, "names no revision, neither to server/discover nor to initialize", "Is it an MCP server?");
            }
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            throw Fault(process, string.Create(CultureInfo.InvariantCulture, $"did not answer within {s_patience.TotalSeconds:0} seconds{Wrote(asking.Foreign)}"),
                "Check that it speaks MCP over stdio (some servers need an argument for that), and try it by hand");
        }
        finally
        {
            asking.Discovered.TrySetCanceled(CancellationToken.None);
            await sending;
        }
        // It may have closed its standard output only.
        await channel.DisposeAsync();
        if (asking.Stateless.Length > 0)
            return asking.Nature();
        if (discovers)
            return null;
        var exitCode = await process.Exit;
        throw Fault(process,
            exitCode is NotFound or NotExecutable ? "cannot be started" : string.Create(CultureInfo.InvariantCulture, $"ended with {exitCode} instead of an answer{Wrote(asking.Foreign)}"),
            "Check its name and arguments, and the variables that it needs (--upstream-env NAME lets one through)");
    }

    private ServerProcess Start(string file)
    {
        try
        {
            return start(file);
        }
        catch (Win32Exception exception)
        {
            throw new UpstreamFaultException($"'{command[0]}' cannot be started: {exception.Message}", "Check the file and its permissions");
        }
    }

    private async Task SendAsync(LineChannel channel, bool discovers, Task discovered, CancellationToken cancellationToken)
    {
        try
        {
            if (discovers)
            {
                await channel.SendAsync(GateMessages.Discover, cancellationToken);
                await Task.WhenAny(discovered, Task.Delay(s_silence, time, cancellationToken));
                if (discovered.IsCanceled)
                    return;
            }
            await channel.SendAsync(GateMessages.Initialize, cancellationToken);
        }
        catch (Exception exception) when (exception is UpstreamException or OperationCanceledException)
        {
            // It has ended already, or took too long: whoever reads its answers finds out.
        }
    }

    private UpstreamFaultException Fault(ServerProcess process, string what, string hint)
    {
        var said = process.Talk.Latest;
        return new($"'{string.Join(' ', command)}' {what}{(said.Count > 0 ? ". It said:\n  " + string.Join("\n  ", said) : "")}", hint);
    }

    private static string Wrote(string? foreign) => foreign is null ? "" : $", but wrote what is no MCP: {foreign}";

    /// <summary>What a process has said to the questions so far.</summary>
    private sealed class Asking(ServerProcess process)
    {
        private string? _server;

        /// <summary>Done when <c>server/discover</c> was answered, whatever the answer is.</summary>
        public TaskCompletionSource Discovered { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public string[] Stateless { get; private set; } = [];

        /// <summary>Neither question was answered with a revision.</summary>
        public bool IsRefused { get; private set; }

        /// <summary>The beginning of what is no answer.</summary>
        public string? Foreign { get; private set; }

        /// <returns>What it is, once that is known.</returns>
        public UpstreamNature? Hears(byte[] line)
        {
            // A server may say something of itself first.
            if (UpstreamAnswer.IdOf(line) is not { } id)
            {
                process.Talk.NoMessage(line);
                Foreign ??= Encoding.UTF8.GetString(line.AsSpan(0, Math.Min(line.Length, ShownLength)));
                return null;
            }
            _server = UpstreamAnswer.ServerOf(line) ?? _server;
            if (UpstreamAnswer.RevisionsOf(line) is { } revisions)
                Stateless = [.. revisions.Where(Revision.IsStateless)];
            else if (UpstreamAnswer.RevisionOf(line) is { } revision)
                return Nature(revision);
            Discovered.TrySetResult();
            if (id != GateMessages.InitializeId)
                return null;
            IsRefused = Stateless.Length == 0;
            return IsRefused ? null : Nature();
        }

        /// <param name="withSessions">
        /// The one that it settled on. It may speak older ones too, of which no question asks (2025-11-25, lifecycle, "Version Negotiation"): a
        /// client of one of them finds out by its own <c>initialize</c>.
        /// </param>
        public UpstreamNature Nature(params string[] withSessions) => new(UpstreamTransport.Stdio, [.. Stateless, .. withSessions], _server);
    }
}
