using System.Text;

namespace Sallyport;

/// <summary>A password or passphrase that another program sends.</summary>
internal static class SecretInput
{
    /// <summary>All of standard input, but for one line end at its end.</summary>
    /// <param name="what">What it is called in faults.</param>
    /// <param name="mostBytes">No more may come.</param>
    /// <param name="tooLong">The fault where more does.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public static async Task<string> ReadAsync(string what, int mostBytes, Func<CommandFault> tooLong, CancellationToken cancellationToken)
    {
        var bytes = new byte[mostBytes + 1];
        await using var input = Console.OpenStandardInput();
        var length = await input.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, cancellationToken);
        if (length > mostBytes)
            throw tooLong();
        try
        {
            var text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes, 0, length);
            return text.EndsWith("\r\n", StringComparison.Ordinal) ? text[..^2] : text.EndsWith('\n') ? text[..^1] : text;
        }
        catch (DecoderFallbackException)
        {
            throw new CommandFault(ExitCode.RefusedInput, $"The {what} on standard input is not UTF-8", "Send it as UTF-8 text");
        }
    }
}
