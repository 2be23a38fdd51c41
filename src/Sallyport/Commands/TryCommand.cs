using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Sallyport.Demonstration;
using Sallyport.Log;
using Sallyport.Proof.Report;
using Sallyport.Server;
using Sallyport.Server.Audit;
using Sallyport.Server.Authorization.Enrol;
using Sallyport.Server.Configuration;
using Sallyport.Server.Pipeline;

namespace Sallyport.Commands;

/// <summary><c>try</c>: the whole story on this machine within a minute, on a free port and with data that is thrown away.</summary>
internal static class TryCommand
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(1);

    private static readonly Option<string?> s_provider = new("--provider") { Description = "An OpenID Connect provider to sign in by, which signs a test user in without a page", HelpName = "ISSUER" };
    private static readonly Option<string?> s_clientId = new("--client-id") { Description = "What that provider knows this gate as", HelpName = "ID" };
    private static readonly Option<string?> s_clientSecret = new("--client-secret-env") { Description = "The environment variable with the client secret", HelpName = "NAME" };
    private static readonly Option<int?> s_port = new("--port") { Description = $"With --provider, which has to know http://localhost:PORT/oauth/callback (default: {GateConfiguration.DefaultPort})", HelpName = "PORT" };

    public static Command Create()
    {
        var command = new Command("try", "See a client get in, and everybody else refused, on a gate that is thrown away afterwards") { s_provider, s_clientId, s_clientSecret, s_port };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var time = TimeProvider.System;
        var startedAt = time.GetTimestamp();
        var data = Directory.CreateTempSubdirectory("sallyport-try-").FullName;
        using var limit = new CancellationTokenSource(s_limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            var configuration = Configure(parsed, data);
            var url = configuration.PublicUrl;
            await using (var gate = GateHost.Build(configuration, static _ => { }))
            {
                await gate.StartAsync(either.Token);
                Console.Out.WriteLine($"A gate at {url}, its own MCP server behind it, data in {data}");
                await PlayAsync(gate, url, configuration.Providers.Count > 0, either.Token);
                await gate.StopAsync(CancellationToken.None);
            }
            var report = Report(new DataDirectory(data).Log);
            Console.Out.WriteLine();
            Console.Out.Write(ReportOutput.Render(report, "text"));
            Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"\nEvery answer was the expected one. {time.GetElapsedTime(startedAt).TotalSeconds:0.0} s. The data is thrown away now."));
            return (int)report.Judgement.Verdict;
        }
        catch (Exception exception) when (Inner<CommandFault>(exception) is { } fault)
        {
            throw fault;
        }
        catch (Exception exception) when (Inner<UnexpectedAnswerException>(exception) is { } unexpected)
        {
            Console.Out.WriteLine();
            Console.Error.WriteLine($"sallyport: {unexpected.Message}");
            Console.Error.WriteLine("  The gate must not answer so: please report it, with the lines above");
            return (int)ExitCode.Bypassed;
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            throw new CommandFault(ExitCode.Unavailable, $"It was not done within {s_limit.TotalSeconds} seconds", "Try again when this machine has less to do");
        }
        finally
        {
            Directory.Delete(data, recursive: true);
        }
    }

    private static GateConfiguration Configure(ParseResult parsed, string data)
    {
        // The story is told request by request: the gate makes none of its own.
        if (parsed.GetValue(s_provider) is not { } provider)
            return GateConfiguration.From(new() { HeartbeatSeconds = 0, Urls = string.Create(CultureInfo.InvariantCulture, $"http://localhost:{FreePort()}"), Data = data }, out _)!;
        if (parsed.GetValue(s_clientId) is not { } clientId)
            throw new CommandFault(ExitCode.Usage, "--provider needs a --client-id", "Register this gate at the provider, and give the id that it has there");
        var secret = parsed.GetValue(s_clientSecret) is { } variable ? $" secret-env={variable}" : "";
        var settings = new GateSettings
        {
            HeartbeatSeconds = 0,
            Urls = string.Create(CultureInfo.InvariantCulture, $"http://localhost:{parsed.GetValue(s_port) ?? GateConfiguration.DefaultPort}"),
            Data = data,
            Providers = [$"{provider} {clientId}{secret} everyone"],
        };
        return GateConfiguration.From(settings, out var faults)
            ?? throw new CommandFault(ExitCode.Usage, string.Join('\n', faults.Select(fault => fault.Problem)), faults[0].Hint);
    }

    private static Task PlayAsync(WebApplication gate, string url, bool byProvider, CancellationToken cancellationToken)
    {
        var log = gate.Services.GetRequiredService<DataDirectory>().Log;
        var step = 0;
        var witness = new Witness(response => EventNumber(log, response), (seen, number) =>
            Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{++step,4}. {(seen.Recorded ? '*' : ' ')} {seen.Method,-4} {seen.Path,-42} {(int)seen.Status}  {number,-10} {seen.Meaning}")));
        var story = new Story(url, witness, heading => Console.Out.WriteLine($"\n{heading}"));
        return story.PlayAsync(byProvider ? null : gate.Services.GetRequiredService<OwnerLink>().New(), cancellationToken);
    }

    /// <summary>The number of the event that the answer names, looked up in the log as any reader can.</summary>
    private static string EventNumber(string log, HttpResponseMessage response)
    {
        if (!response.Headers.TryGetValues(Recording.EventHeader, out var ids))
            return "-";
        var id = ids.Single();
        foreach (var leaf in JournalFiles.ReadAll(log).Reverse())
        {
            if (leaf.Event.Id == id)
                return string.Create(CultureInfo.InvariantCulture, $"event {leaf.Index}");
        }
        throw new UnexpectedAnswerException($"The gate named event {id}, which is not in its log");
    }

    private static StatusReport Report(string log) =>
        LogReporting.Run(new(log), key: null, [], new(), withNames: true, static _ => { });

    /// <summary>The client wraps what its handler throws.</summary>
    private static T? Inner<T>(Exception? exception) where T : Exception
    {
        while (exception is not (null or T))
            exception = exception.InnerException;
        return exception as T;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
