using System.CommandLine;
using System.CommandLine.Parsing;
using Sallyport.Server.Configuration;

namespace Sallyport.Commands;

/// <summary>What a gate is configured by, for the commands that serve one or look at its configuration.</summary>
internal sealed class GateOptions
{
    private const string ConfigurationFile = "sallyport.json";

    private readonly Option<string?> _config = new("--config") { Description = $"A configuration file (default: {ConfigurationFile} in this directory, where there is one)", HelpName = "FILE" };
    private readonly IReadOnlyList<(Setting Setting, Option<string[]> Option)> _settings = [.. Setting.All.Select(setting => (setting, setting.ToOption()))];

    private readonly Argument<string[]> _command = new("command")
    {
        Description = "After --: the command of the MCP server to stand in front of, with its arguments; it speaks over stdio",
        HelpName = "-- COMMAND ARG…",
        Arity = ArgumentArity.ZeroOrMore,
    };

    public void AddTo(Command command)
    {
        command.Add(CommandLine.Data);
        command.Add(_config);
        command.Add(_command);
        foreach (var (_, option) in _settings)
            command.Add(option);
    }

    /// <summary>The configuration; null with all that is wrong with it.</summary>
    public GateConfiguration? Read(ParseResult parsed, out IReadOnlyList<ConfigurationFault> faults)
    {
        var file = parsed.GetValue(_config);
        if (file is not null && !File.Exists(file))
            throw new CommandFault(ExitCode.Usage, $"There is no file {file}", "Name an existing file with --config");

        var settings = new GateSettings();
        var reader = new SettingsReader(settings);
        if (File.Exists(file ?? ConfigurationFile))
            reader.ReadFile(file ?? ConfigurationFile);
        reader.ReadEnvironment();
        foreach (var (setting, option) in _settings)
        {
            if (parsed.GetResult(option) is not null)
                reader.ReadFlag(setting, parsed.GetValue(option) ?? []);
        }
        if (parsed.GetValue(_command) is { Length: > 0 } command)
        {
            if (!parsed.Tokens.Any(token => token.Type == TokenType.DoubleDash))
                throw new CommandFault(ExitCode.Usage, $"Nobody knows what '{command[0]}' is to mean", "Write the command of a server after --, like: serve -- npx -y some-server; 'sallyport serve --help' has the flags");
            settings.Command = command;
        }
        settings.Data = parsed.GetValue(CommandLine.Data) ?? settings.Data;

        var configuration = GateConfiguration.From(settings, out var found);
        faults = [.. reader.Faults, .. found];
        return faults.Count == 0 ? configuration : null;
    }
}
