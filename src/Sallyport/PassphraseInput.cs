using System.CommandLine;
using Sallyport.Server.Operation;
using Spectre.Console;

namespace Sallyport;

/// <summary>The passphrase of a key file, from standard input or from a terminal.</summary>
internal static class PassphraseInput
{
    private const int MostBytes = 1024;

    public static readonly Option<bool> Option = new("--passphrase-stdin") { Description = "Read the key file's passphrase from standard input; one line end at its end is dropped" };

    /// <param name="parsed">The command line.</param>
    /// <param name="isNeeded">Whether there is a key file.</param>
    /// <param name="isNew">Whether it is about to be made: then the passphrase has to be long enough, and is asked for twice.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <returns>Null where none is needed.</returns>
    public static async Task<string?> ReadAsync(ParseResult parsed, bool isNeeded, bool isNew, CancellationToken cancellationToken)
    {
        var isGiven = parsed.GetValue(Option);
        if (!isNeeded)
            return isGiven ? throw new CommandFault(ExitCode.Usage, "There is a passphrase, but no key file", "Name one with --keys") : null;
        var passphrase = isGiven ? await ReadStandardInputAsync(cancellationToken) : Ask(isNew);
        if (isNew && passphrase.EnumerateRunes().Count() < KeyFile.ShortestPassphrase)
            throw new CommandFault(ExitCode.RefusedInput, $"A passphrase has {KeyFile.ShortestPassphrase} characters or more", "Choose a longer one: whoever has the file can try as many as they like");
        return passphrase;
    }

    private static Task<string> ReadStandardInputAsync(CancellationToken cancellationToken) => SecretInput.ReadAsync(
        "passphrase",
        MostBytes,
        () => new(ExitCode.RefusedInput, $"The passphrase on standard input has more than {MostBytes} bytes", "Send the passphrase alone"),
        cancellationToken);

    private static string Ask(bool isNew)
    {
        if (Console.IsInputRedirected)
            throw new CommandFault(ExitCode.Usage, "There is no terminal to ask for the passphrase at", "Give --passphrase-stdin and send it there");
        var passphrase = CommandLine.Talk.Prompt(new TextPrompt<string>("Passphrase:").Secret(null));
        return !isNew || CommandLine.Talk.Prompt(new TextPrompt<string>("Once more:").Secret(null)) == passphrase
            ? passphrase
            : throw new CommandFault(ExitCode.RefusedInput, "The two passphrases differ", "Try again");
    }
}
