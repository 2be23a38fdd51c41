using System.CommandLine;
using Sallyport.Proof.Notes;

namespace Sallyport.Log;

/// <summary>The log's key as whoever checks it has got it: from its operator, and not from beside the log.</summary>
internal static class GivenKey
{
    private const int MaxBytes = 1024;

    public static readonly Option<string?> Option = new("--key") { Description = "The log's verifier key, or a file with it", HelpName = "VKEY" };

    /// <exception cref="CommandFault">It is none.</exception>
    public static VerifierKey? Read(ParseResult parsed)
    {
        if (parsed.GetValue(Option) is not { } text)
            return null;
        if (!VerifierKey.TryParse(text, out var key) && !(File.Exists(text) && VerifierKey.TryParse(ReadFile(text), out key)))
            throw new CommandFault(ExitCode.RefusedInput, $"'{text}' is neither a verifier key nor a file with one", "It looks like sallyport/…+01234567+A…; the gate keeps it in log/verifier-key of its data directory");
        return key.Type == SignatureType.Ed25519
            ? key
            : throw new CommandFault(ExitCode.RefusedInput, $"{key} is the key of a witness, not of a log", "Give the key from log/verifier-key of the gate's data directory");
    }

    private static string ReadFile(string path)
    {
        using var file = new StreamReader(path);
        var text = new char[MaxBytes];
        return new string(text, 0, file.ReadBlock(text)).TrimEnd('\r', '\n');
    }
}
