using System.CommandLine;
using Sallyport.Proof.Events;
using Sallyport.Server.Protocol;
using Spectre.Console;

namespace Sallyport;

/// <summary>A user's password: asked for at the terminal, or sent by another program.</summary>
internal static class PasswordInput
{
    public static readonly Option<bool> FromStdin = new("--password-stdin") { Description = "Read the password from standard input; one line end at its end is dropped" };

    public static async Task<string> ReadAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        // Four bytes a character at most, and the line end.
        if (parsed.GetValue(FromStdin))
            return await SecretInput.ReadAsync("password", (Limits.PasswordMaxLength * 4) + 2, Unsuitable, cancellationToken);
        return Console.IsInputRedirected
            ? throw new CommandFault(ExitCode.Usage, "There is no terminal to ask for the password at", "Give --password-stdin and send it there")
            : CommandLine.Talk.Prompt(new TextPrompt<string>("Password:").Secret(null));
    }

    public static CommandFault Unsuitable() =>
        new(ExitCode.RefusedInput, OAuthError.For(Reason.PasswordUnsuitable).Description, "Choose one of that length: there is no other rule");
}
