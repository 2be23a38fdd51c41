using System.CommandLine;
using Sallyport.Control;
using Sallyport.Server.Configuration;

namespace Sallyport.Commands;

/// <summary><c>audit rotate-key</c>: another key signs the log, introduced by the one before, which is destroyed.</summary>
internal static class AuditRotateKeyCommand
{
    public static Command Create()
    {
        var command = new Command("rotate-key", "Sign the log with a new key, and destroy the old one. Prints the new verifier key") { CommandLine.Data };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var directory = new DataDirectory(parsed.GetValue(CommandLine.Data) ?? GateConfiguration.DefaultDataDirectory());
        if (!File.Exists(directory.LogKey))
            throw new CommandFault(ExitCode.Unavailable, $"There is no log's key in {directory.Keys}", "Name the gate's data directory with --data; the gate prints it when it starts");
        var rotated = await new Operator(directory.Root, TimeProvider.System).DoAsync(ControlActs.RotateKey, new(), cancellationToken);
        Console.Error.WriteLine("This key signs the log from now on; the old one introduced it, and is destroyed.");
        Console.Error.WriteLine("  Give it to the log's witnesses, beside the old one, and publish it.");
        Console.Out.WriteLine(rotated.Key);
        return (int)ExitCode.Success;
    }
}
