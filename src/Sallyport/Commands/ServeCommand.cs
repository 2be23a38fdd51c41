using System.CommandLine;
using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using Sallyport.Control;
using Sallyport.Server;
using Sallyport.Server.Audit;
using Sallyport.Server.Audit.Anchors;
using Sallyport.Server.Authorization.Enrol;
using Sallyport.Server.Configuration;
using Sallyport.Server.Gateway.Upstreams;
using Sallyport.Server.Gateway.Upstreams.Processes;
using Sallyport.Server.Storage;
using Sallyport.Server.Witness;

namespace Sallyport.Commands;

/// <summary><c>serve</c>: the gate.</summary>
internal static class ServeCommand
{
    /// <summary>How long the banner waits for an upstream to say what it is.</summary>
    private static readonly TimeSpan s_upstreamLimit = TimeSpan.FromSeconds(5);

    private static readonly GateOptions s_options = new();

    public static Command Create()
    {
        var command = new Command("serve", "Stand in front of MCP servers");
        s_options.AddTo(command);
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var configuration = s_options.Read(parsed, out var faults) ?? throw Refuse(faults);
        var directory = new DataDirectory(configuration.DataDirectory);
        await using var gate = GateHost.Build(configuration, LogToStandardError, services =>
        {
            services.AddHostedService<ControlServer>();
            services.AddSingleton(Supervisor.OfThisProgram());
            services.AddSingleton<IAnchor>(new WriterAnchor("stdout", Console.Out));
        });
        if (configuration.AtRoot is { Command.Count: > 0 } upstream)
            await Console.Error.WriteLineAsync($"Starting {OneLineFormatter.Plain(string.Join(' ', upstream.Command))} …");
        try
        {
            await gate.StartAsync(cancellationToken);
            await WriteBannerAsync(gate, configuration, directory, cancellationToken);
        }
        catch (Exception exception)
        {
            // The log was opened, and requests may have come already: they end in order.
            await gate.StopAsync(CancellationToken.None);
            if (exception is not IOException { InnerException: AddressInUseException })
                throw;
            throw new CommandFault(ExitCode.Unavailable, $"Something listens on {string.Join(" or ", configuration.Urls.Concat(configuration.AdminUrls))} already",
                "Stop it, or choose another port with --urls or --admin-urls, like http://localhost:8701");
        }
        await gate.WaitForShutdownAsync(cancellationToken);
        return (int)ExitCode.Success;
    }

    private static CommandFault Refuse(IReadOnlyList<ConfigurationFault> faults) => new(
        ExitCode.Usage,
        "The configuration is wrong:\n" + string.Join('\n', faults.Select(fault => $"  {fault.Setting}: {fault.Problem}\n    {fault.Hint}")),
        "Nothing was started");

    private static void LogToStandardError(ILoggingBuilder logging)
    {
        logging.SetMinimumLevel(LogLevel.Warning);
        // A start that fails is told by the command, with a hint.
        logging.AddFilter("Microsoft.Extensions.Hosting", LogLevel.None);
        // What it tells it throws too, to the command or to the middleware, which tell it once.
        logging.AddFilter("Microsoft.EntityFrameworkCore", LogLevel.None);
        // It would warn that keys lie unencrypted at rest; they lie in 0600 files, which is what the documentation says.
        logging.AddFilter("Microsoft.AspNetCore.DataProtection", LogLevel.Error);
        // It would warn that it replaces a Cache-Control, with one that is as strict.
        logging.AddFilter("Microsoft.AspNetCore.Antiforgery", LogLevel.Error);
        // What a server's process says on its standard error is shown, whatever it is.
        logging.AddFilter(typeof(ProcessTalk).FullName, LogLevel.Information);
        logging.AddConsole(console => console.FormatterName = OneLineFormatter.FormatterName);
        logging.AddConsoleFormatter<OneLineFormatter, ConsoleFormatterOptions>();
        logging.Services.Configure<ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
    }

    private static async Task WriteBannerAsync(WebApplication gate, GateConfiguration configuration, DataDirectory directory, CancellationToken cancellationToken)
    {
        var talk = Console.Error;
        await talk.WriteLineAsync($"Sallyport {Product.Version}\n");
        var findings = await Task.WhenAll(gate.Services.GetRequiredService<UpstreamList>().All.Select(upstream => UpstreamFinding.AskAsync(upstream, s_upstreamLimit, cancellationToken)));
        foreach (var finding in findings)
        {
            await talk.WriteLineAsync($"  MCP server    {finding.Setting.Audience}");
            await talk.WriteLineAsync($"                {configuration.PublicUrl}{finding.Setting.SsePath}  (HTTP+SSE, for older clients)");
            await talk.WriteLineAsync($"  Behind it     {finding.Address}");
            if (finding.Text is { } text)
                await talk.WriteLineAsync($"                {text}");
        }
        await talk.WriteLineAsync($"  Listening on  {string.Join(", ", configuration.Urls.Select(url => url.GetLeftPart(UriPartial.Authority)))}");
        if (configuration.AdminUrls.Count > 0)
            await talk.WriteLineAsync($"  Admin         {string.Join(", ", configuration.AdminUrls.Select(url => url.GetLeftPart(UriPartial.Authority)))}: /readyz and /metrics");
        if (configuration.Telemetry is { ExportsMetrics: true } or { ExportsTraces: true })
            await talk.WriteLineAsync($"  Telemetry     {string.Join(" and ", (string[])[.. configuration.Telemetry.ExportsMetrics ? ["metrics"] : (string[])[], .. configuration.Telemetry.ExportsTraces ? ["traces"] : (string[])[]])} to what OTEL_EXPORTER_OTLP_ENDPOINT names");
        await talk.WriteLineAsync($"  Data          {directory.Root}");
        await talk.WriteLineAsync($"  Log key       {gate.Services.GetRequiredService<Sealer>().Verifier}");
        foreach (var provider in configuration.Providers)
            await talk.WriteLineAsync($"  Sign-in by    {provider.Title}, which sends back to {configuration.PublicUrl}{provider.CallbackPath}");
        if (configuration.Webhook is { } webhook)
            await talk.WriteLineAsync($"  Findings to   {webhook.Url.GetLeftPart(UriPartial.Authority)}");
        if (configuration.WitnessFor.Count > 0)
        {
            await talk.WriteLineAsync($"  Witness       {configuration.PublicUrl}{WitnessEndpoint.Prefix}  for {string.Join(", ", configuration.WitnessFor.Select(log => log.Name).Distinct())}");
            await talk.WriteLineAsync($"  Witness key   {gate.Services.GetRequiredService<WitnessKey>().Verifier}");
        }
        foreach (var note in DoctorCommand.Notes(configuration))
            await talk.WriteLineAsync($"  Mind          {note}");
        await using (var scope = gate.Services.CreateAsyncScope())
        {
            // Where a provider vouches for users, nobody needs a link that makes its holder the owner.
            if (configuration.Providers.Count == 0 && !await scope.ServiceProvider.GetRequiredService<Accounts>().AnyAsync(cancellationToken))
                await OfferOwnershipAsync(gate.Services.GetRequiredService<OwnerLink>().New(), directory, cancellationToken);
            else
                File.Delete(directory.EnrolmentLink);
        }
        await talk.WriteLineAsync();
    }

    /// <summary>Whoever opens the link first becomes the owner: it goes to the operator's terminal or to a file of theirs, never into a log.</summary>
    private static async Task OfferOwnershipAsync(string link, DataDirectory directory, CancellationToken cancellationToken)
    {
        if (!Console.IsErrorRedirected)
        {
            await Console.Error.WriteLineAsync($"""

                  There is no user yet. Open this once to become the owner:
                  {link}
                """);
            return;
        }
        File.Delete(directory.EnrolmentLink);
        // 0600, as everything that this process makes in the data directory.
        await using var file = new FileStream(directory.EnrolmentLink, FileMode.CreateNew, FileAccess.Write);
        await using var writer = new StreamWriter(file);
        await writer.WriteLineAsync(link.AsMemory(), cancellationToken);
        await Console.Error.WriteLineAsync($"  Owner         there is no user yet: the link in {directory.EnrolmentLink} enrols the owner, once");
    }
}
