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
using Sallyport.Server.Storage;
using Sallyport.Server.Witness;

namespace Sallyport.Commands;

/// <summary><c>serve</c>: the gate.</summary>
internal static class ServeCommand
{
    private const string ConfigurationFile = "sallyport.json";

    private static readonly Option<string?> s_config = new("--config") { Description = $"A configuration file (default: {ConfigurationFile} in this directory, where there is one)", HelpName = "FILE" };
    private static readonly IReadOnlyList<(Setting Setting, Option<string[]> Option)> s_settings = [.. Setting.All.Select(setting => (setting, setting.ToOption()))];

    public static Command Create()
    {
        var command = new Command("serve", "Stand in front of an MCP server") { CommandLine.Data, s_config };
        foreach (var (_, option) in s_settings)
            command.Add(option);
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var configuration = ReadConfiguration(parsed);
        var directory = new DataDirectory(configuration.DataDirectory);
        await using var gate = GateHost.Build(configuration, LogToStandardError, services =>
        {
            services.AddHostedService<ControlServer>();
            services.AddSingleton<IAnchor>(new WriterAnchor("stdout", Console.Out));
        });
        try
        {
            await gate.StartAsync(cancellationToken);
        }
        catch (Exception exception)
        {
            // The log was opened; it ends in order.
            await gate.StopAsync(CancellationToken.None);
            if (exception is not IOException { InnerException: AddressInUseException })
                throw;
            throw new CommandFault(ExitCode.Unavailable, $"Something listens on {string.Join(" or ", configuration.Urls)} already",
                "Stop it, or choose another port with --urls, like http://localhost:8701");
        }
        await WriteBannerAsync(gate, configuration, directory, cancellationToken);
        await gate.WaitForShutdownAsync(cancellationToken);
        return (int)ExitCode.Success;
    }

    private static GateConfiguration ReadConfiguration(ParseResult parsed)
    {
        var file = parsed.GetValue(s_config);
        if (file is not null && !File.Exists(file))
            throw new CommandFault(ExitCode.Usage, $"There is no file {file}", "Name an existing file with --config");

        var settings = new GateSettings();
        var reader = new SettingsReader(settings);
        if (File.Exists(file ?? ConfigurationFile))
            reader.ReadFile(file ?? ConfigurationFile);
        reader.ReadEnvironment();
        foreach (var (setting, option) in s_settings)
        {
            if (parsed.GetResult(option) is not null)
                reader.ReadFlag(setting, parsed.GetValue(option) ?? []);
        }
        settings.Data = parsed.GetValue(CommandLine.Data) ?? settings.Data;

        var configuration = GateConfiguration.From(settings, out var faults);
        return configuration is not null && reader.Faults.Count == 0 ? configuration : throw Refuse([.. reader.Faults, .. faults]);
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
        logging.AddConsole(console => console.FormatterName = OneLineFormatter.FormatterName);
        logging.AddConsoleFormatter<OneLineFormatter, ConsoleFormatterOptions>();
        logging.Services.Configure<ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
    }

    private static async Task WriteBannerAsync(WebApplication gate, GateConfiguration configuration, DataDirectory directory, CancellationToken cancellationToken)
    {
        var talk = Console.Error;
        await talk.WriteLineAsync($"Sallyport {Product.Version}\n");
        foreach (var upstream in configuration.Upstreams)
        {
            await talk.WriteLineAsync($"  MCP server    {upstream.Audience}");
            await talk.WriteLineAsync($"                {configuration.PublicUrl}{upstream.SsePath}  (HTTP+SSE, for older clients)");
            await talk.WriteLineAsync($"  Behind it     {upstream.Url?.ToString() ?? "Sallyport's own server: echo, whoami, recent_events"}");
        }
        await talk.WriteLineAsync($"  Listening on  {string.Join(", ", configuration.Urls.Select(url => url.GetLeftPart(UriPartial.Authority)))}");
        await talk.WriteLineAsync($"  Data          {directory.Root}");
        await talk.WriteLineAsync($"  Log key       {gate.Services.GetRequiredService<Sealer>().Verifier}");
        if (configuration.WitnessFor.Count > 0)
        {
            await talk.WriteLineAsync($"  Witness       {configuration.PublicUrl}{WitnessEndpoint.Prefix}  for {string.Join(", ", configuration.WitnessFor.Select(log => log.Name).Distinct())}");
            await talk.WriteLineAsync($"  Witness key   {gate.Services.GetRequiredService<WitnessKey>().Verifier}");
        }
        foreach (var elsewhere in configuration.Upstreams.Select(upstream => upstream.Url).Where(url => url is { IsLoopback: false }))
            await talk.WriteLineAsync($"  Mind          {elsewhere!.Authority} is not this machine: see to it that only the gate can reach it");
        if (!configuration.IsReachedDirectly)
            await talk.WriteLineAsync($"  Mind          {configuration.PublicUrl} is not a listener here: a proxy has to bring its requests, with their Host");
        await using (var scope = gate.Services.CreateAsyncScope())
        {
            if (!await scope.ServiceProvider.GetRequiredService<Accounts>().AnyAsync(cancellationToken))
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
