using System.CommandLine;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Sallyport.Log;
using Sallyport.Proof;
using Sallyport.Proof.Events;
using Sallyport.Server.Configuration;
using Sallyport.Server.Gateway.Upstreams;
using Sallyport.Server.Gateway.Upstreams.Processes;
using Sallyport.Server.Protocol;

namespace Sallyport.Commands;

/// <summary>
/// <c>doctor</c>: what is wrong with this configuration and with the servers in it, and the fix for each fault. It asks the servers by
/// itself, whether a gate runs or not, and changes nothing.
/// </summary>
internal static class DoctorCommand
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(15);
    private static readonly GateOptions s_options = new();
    private static readonly Option<bool> s_json = new("--json") { Description = "One JSON object on stdout" };

    public static Command Create()
    {
        var command = new Command("doctor", "Say what is wrong with a configuration and its upstreams, and how to mend it") { s_json };
        s_options.AddTo(command);
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var configuration = s_options.Read(parsed, out var faults);
        var findings = configuration is null ? [] : await Task.WhenAll(configuration.Upstreams
            .Where(upstream => upstream.Url is not null || upstream.Command.Count > 0)
            .Select(upstream => AskAsync(upstream, configuration, cancellationToken)));
        var notes = configuration is null ? [] : Notes(configuration).ToList();
        if (parsed.GetValue(s_json))
            WriteJson(faults, findings, notes);
        else
            WriteText(faults, findings, notes);
        return (int)(faults.Count > 0 ? ExitCode.Usage : findings.Any(finding => finding.Fault is not null) ? ExitCode.Unavailable : ExitCode.Success);
    }

    private static async Task<UpstreamFinding> AskAsync(UpstreamSetting upstream, GateConfiguration configuration, CancellationToken cancellationToken)
    {
        // A command has its own limit of time, as it may have to be downloaded first.
        if (upstream.Command.Count > 0)
            return await UpstreamFinding.AskAsync(
                new ProcessUpstream(upstream, configuration, Supervisor.OfThisProgram(), GateActs.OfNoGate, TimeProvider.System, NullLogger<ProcessUpstream>.Instance, NullLogger<ProcessTalk>.Instance),
                Timeout.InfiniteTimeSpan, cancellationToken);
        using var asked = new HttpUpstream(
            upstream, configuration.UpstreamPatience, GateActs.OfNoGate, TimeProvider.System, NullLogger<HttpUpstream>.Instance, AssertionsOf(configuration));
        return await UpstreamFinding.AskAsync(asked, s_limit, cancellationToken);
    }

    /// <summary>By the gate's own keys, where it has been started once.</summary>
    private static CallerAssertions? AssertionsOf(GateConfiguration configuration)
    {
        var directory = new DataDirectory(configuration.DataDirectory);
        if (!File.Exists(directory.TokenKeys))
            return null;
        // Read when an upstream is to be told.
        var keys = new Lazy<TokenKeys>(() => new TokenKeyFile(directory).Open(TimeProvider.System));
        return new(configuration.PublicUrl, () => keys.Value, TimeProvider.System);
    }

    /// <summary>What is no fault by itself, and has to be seen to.</summary>
    public static IEnumerable<string> Notes(GateConfiguration configuration)
    {
        foreach (var elsewhere in configuration.Upstreams.Select(upstream => upstream.Url).OfType<Uri>().Where(url => !url.IsLoopback))
            yield return $"{elsewhere.Authority} is not this machine: see to it that only the gate can reach it";
        foreach (var clear in configuration.Upstreams.Where(upstream => upstream is { Url: { IsLoopback: false, Scheme: "http" }, Headers.Count: > 0 }))
            yield return $"{clear.Url!.Authority} gets a header with a secret in clear: write its https address";
        if (!configuration.IsReachedDirectly)
            yield return $"{configuration.PublicUrl} is not a listener here: a proxy has to bring its requests, with their Host";
    }

    private static void WriteText(IReadOnlyList<ConfigurationFault> faults, IReadOnlyList<UpstreamFinding> findings, IReadOnlyList<string> notes)
    {
        Console.WriteLine(faults.Count == 0 ? "Configuration  well" : "Configuration  wrong");
        foreach (var fault in faults)
            Console.WriteLine($"  {fault.Setting}: {fault.Problem.ToPrintable()}\n    {fault.Hint}");
        foreach (var finding in findings)
            Console.WriteLine($"Upstream       {finding.Name}  {finding.Address}\n  {finding.Text}");
        foreach (var note in notes)
            Console.WriteLine($"Mind           {note}");
    }

    private static void WriteJson(IReadOnlyList<ConfigurationFault> faults, IReadOnlyList<UpstreamFinding> findings, IReadOnlyList<string> notes)
    {
        using var output = Console.OpenStandardOutput();
        using (var writer = new Utf8JsonWriter(output, new() { Indented = true }))
        {
            writer.WriteStartObject();
            writer.WriteBoolean("well", faults.Count == 0 && findings.All(finding => finding.Fault is null));
            writer.WriteStartArray("faults");
            foreach (var fault in faults)
            {
                writer.WriteStartObject();
                writer.WriteString("setting", fault.Setting);
                writer.WriteString("problem", fault.Problem);
                writer.WriteString("hint", fault.Hint);
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
            writer.WriteStartArray("upstreams");
            foreach (var finding in findings)
                Write(writer, finding);
            writer.WriteEndArray();
            writer.WriteStartArray("notes");
            foreach (var note in notes)
                writer.WriteStringValue(note);
            writer.WriteEndArray();
            writer.WriteEndObject();
        }
        output.Write("\n"u8);
    }

    private static void Write(Utf8JsonWriter writer, UpstreamFinding finding)
    {
        writer.WriteStartObject();
        writer.WriteString("name", finding.Setting.Name);
        writer.WriteString("url", finding.Address);
        writer.WriteBoolean("well", finding.Fault is null);
        writer.WriteString("transport", finding.Transport);
        writer.WriteStartArray("revisions");
        foreach (var revision in finding.Nature?.Revisions ?? [])
            writer.WriteStringValue(revision);
        writer.WriteEndArray();
        writer.WriteString("server", finding.Nature?.Server);
        writer.WriteString("reason", finding.Fault?.Word());
        writer.WriteString("problem", finding.Problem);
        writer.WriteString("hint", finding.Hint);
        writer.WriteEndObject();
    }
}
