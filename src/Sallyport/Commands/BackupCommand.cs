using System.CommandLine;
using Sallyport.Log;
using Sallyport.Proof;
using Sallyport.Server.Configuration;
using Sallyport.Server.Operation;

namespace Sallyport.Commands;

/// <summary><c>backup FILE</c>: database and log, while a gate runs; with <c>--keys</c> the keys too, apart and under a passphrase.</summary>
internal static class BackupCommand
{
    private static readonly Argument<string> s_file = new("FILE") { Description = "The file to make: a .tar.gz" };
    private static readonly Option<string?> s_keys = new("--keys") { Description = "A file to make with the keys, under a passphrase", HelpName = "KEYFILE" };

    public static Command Create()
    {
        var command = new Command("backup", "Copy database and log into a file, also while a gate runs. The keys are not in it") { s_file, s_keys, PassphraseInput.Option, CommandLine.Data };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var (file, keyFile) = (parsed.GetValue(s_file)!, parsed.GetValue(s_keys));
        var directory = new DataDirectory(parsed.GetValue(CommandLine.Data) ?? GateConfiguration.DefaultDataDirectory());
        if (!File.Exists(directory.Database))
            throw new CommandFault(ExitCode.Unavailable, $"There is no gate's data in {directory.Root}", "Name the gate's data directory with --data; the gate prints it when it starts");
        foreach (var path in new[] { file, keyFile }.OfType<string>())
        {
            if (Path.Exists(path))
                throw new CommandFault(ExitCode.Unavailable, $"{path} exists already", "Choose another name: nothing is overwritten");
        }
        var passphrase = await PassphraseInput.ReadAsync(parsed, isNeeded: keyFile is not null, isNew: true, cancellationToken);
        var backup = new Backup(directory, TimeProvider.System);
        BackupReport report;
        try
        {
            report = await backup.WriteAsync(file, cancellationToken);
        }
        catch (BehindLogException exception)
        {
            throw new CommandFault(ExitCode.Unavailable, exception.Message, "The gate was killed: start it once, so that its log gets them, then try again");
        }
        Console.Error.WriteLine($"{file}: the database, and a whole log of {report.Manifest.Size.Grouped()} events; {report.Bytes.Grouped()} bytes.");
        if (keyFile is not null)
        {
            backup.WriteKeys(keyFile, passphrase!, report.Manifest.Origin);
            Console.Error.WriteLine($"{keyFile}: the keys. Keep it elsewhere than the backup, and the passphrase elsewhere than both.");
        }
        return (int)ExitCode.Success;
    }
}
