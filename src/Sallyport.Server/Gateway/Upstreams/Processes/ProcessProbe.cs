using System.ComponentModel;
using System.Globalization;
using System.Text;
using Sallyport.Server.Configuration;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Gateway.Upstreams.Processes;

/// <summary>Starts a command and shakes hands with it, to learn what it is.</summary>
/// <param name="start">Starts the program at that path.</param>
/// <param name="record">Records what is about to be said to it.</param>
internal sealed class ProcessProbe(IReadOnlyList<string> command, Func<string, ServerProcess> start, Func<ValueTask> record, TimeProvider time)
{
    /// <summary>A first start may have to download the server.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);
    private const int ShownLength = 100;
    /// <summary>A shell's own words: there is no such program, or it may not be run.</summary>
    private const int NotFound = 127, NotExecutable = 126;

    private static readonly byte[] s_initialize = Encoding.UTF8.GetBytes(
        $$$$"""{"jsonrpc":"2.0","id":"sallyport","method":"initialize","params":{"protocolVersion":"{{{{Revision.NewestWithSessions}}}}","capabilities":{},"clientInfo":{"name":"sallyport","version":"{{{{Product.Version}}}}"}}}""");

    /// <exception cref="UpstreamFaultException">The command does not work.</exception>
    public async Task<UpstreamNature> AskAsync(CancellationToken cancellationToken)
    {
        var file = ProcessCommand.Find(command[0])
            ?? throw new UpstreamFaultException($"There is no program '{command[0]}'", "Check its spelling and PATH; a path of its own contains a /");
        ServerProcess process;
        try
        {
            process = start(file);
        }
        catch (Win32Exception exception)
        {
            throw new UpstreamFaultException($"'{command[0]}' cannot be started: {exception.Message}", "Check the file and its permissions");
        }
        await using var channel = new LineChannel(process.Input, process.Output, process);
        using var limit = new CancellationTokenSource(s_patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        string? foreign = null;
        try
        {
            await record();
            await channel.SendAsync(s_initialize, either.Token);
            await foreach (var line in channel.ReadAllAsync(either.Token))
            {
                // A server may say something of itself first.
                if (UpstreamAnswer.RevisionOf(line) is { } revision)
                    return new(UpstreamTransport.Stdio, UpTo(revision), UpstreamAnswer.ServerOf(line));
                process.Talk.NoMessage(line);
                foreign ??= Encoding.UTF8.GetString(line.AsSpan(0, Math.Min(line.Length, ShownLength)));
            }
        }
        catch (UpstreamException)
        {
            // It has ended already: see below.
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            throw Fault(process, string.Create(CultureInfo.InvariantCulture, $"did not answer within {s_patience.TotalSeconds:0} seconds{Wrote(foreign)}"),
                "Check that it speaks MCP over stdio (some servers need an argument for that), and try it by hand");
        }
        // It may have closed its standard output only.
        await channel.DisposeAsync();
        var exitCode = await process.Exit;
        throw Fault(process,
            exitCode is NotFound or NotExecutable ? "cannot be started" : string.Create(CultureInfo.InvariantCulture, $"ended with {exitCode} instead of an answer{Wrote(foreign)}"),
            "Check its name and arguments, and the variables that it needs (--upstream-env NAME lets one through)");
    }

    /// <summary>What a server speaks that settles on this revision when it is asked for the newest: it, and what is older.</summary>
    private static string[] UpTo(string revision) => [revision, .. Revision.WithSessions.Where(older => string.CompareOrdinal(older, revision) < 0)];

    private UpstreamFaultException Fault(ServerProcess process, string what, string hint)
    {
        var said = process.Talk.Latest;
        return new($"'{string.Join(' ', command)}' {what}{(said.Count > 0 ? ". It said:\n  " + string.Join("\n  ", said) : "")}", hint);
    }

    private static string Wrote(string? foreign) => foreign is null ? "" : $", but wrote what is no MCP: {foreign}";
}
