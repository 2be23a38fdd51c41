using System.CommandLine;
using System.Globalization;
using Sallyport.Log;
using Sallyport.Server.Configuration;
using Sallyport.Server.Operation;

namespace Sallyport.Commands;

/// <summary><c>restore FILE</c>: a data directory out of a backup, in a new epoch. Everybody signs in again.</summary>
internal static class RestoreCommand
{
    private static readonly Argument<string> s_file = new("FILE") { Description = "A file that 'sallyport backup' made" };
    private static readonly Option<string?> s_keys = new("--keys") { Description = "The key file that was made with it (without: new keys)", HelpName = "KEYFILE" };

    public static Command Create()
    {
        var command = new Command("restore", "Make a data directory out of a backup. All that was granted before is revoked") { s_file, s_keys, PassphraseInput.Option, CommandLine.Data };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var (file, keyFile) = (parsed.GetValue(s_file)!, parsed.GetValue(s_keys));
        foreach (var path in new[] { file, keyFile }.OfType<string>())
        {
            if (!File.Exists(path))
                throw new CommandFault(ExitCode.Unavailable, $"There is no file {path}", "Name a file that 'sallyport backup' made");
        }
        var directory = new DataDirectory(parsed.GetValue(CommandLine.Data) ?? GateConfiguration.DefaultDataDirectory());
        var passphrase = await PassphraseInput.ReadAsync(parsed, isNeeded: keyFile is not null, isNew: false, cancellationToken);
        RestoreReport report;
        try
        {
            var keys = keyFile is null ? null : KeyFile.Open(ReadKeyFile(keyFile), passphrase!);
            await using var archive = File.OpenRead(file);
            report = await new Restore(directory, TimeProvider.System).RunAsync(archive, keys, cancellationToken);
        }
        catch (UnusableBackupException exception)
        {
            throw new CommandFault(ExitCode.RefusedInput, exception.Message, exception.Hint);
        }
        catch (DataDirectoryNotEmptyException exception)
        {
            throw new CommandFault(ExitCode.Unavailable, exception.Message, "Name a directory that is empty or not there with --data: nothing is overwritten");
        }
        Say(string.Create(CultureInfo.InvariantCulture, $"""
            Restored into {directory.Root}: the state of {report.Manifest.Time:yyyy-MM-dd HH:mm:ss}Z, epoch {report.Epoch}.

              Revoked       {report.Revoked} grants: all that there were. Every client has to be allowed again, and every browser signs in again
              Users         {report.Users}, with the passwords that they had. One that was removed since is back
              Clients       {report.Clients}. One that was removed since is back; one that registered since is gone, and registers again
              Old log       {report.OldLog}: {report.Manifest.Size} events, to be kept; nothing is appended to it
              New log       {report.Origin}
            """));
        return (int)ExitCode.Success;
    }

    private static byte[] ReadKeyFile(string path)
    {
        using var file = File.OpenRead(path);
        // One byte more than a key file can have is enough to refuse it.
        var bytes = new byte[Math.Min(file.Length, KeyFile.MostBytes + 1)];
        return bytes[..file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false)];
    }

    private static void Say(string text) => Console.Error.WriteLine(text);
}
