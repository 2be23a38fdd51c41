using System.CommandLine;
using Sallyport.Control;
using Sallyport.Proof.Events;
using Sallyport.Server.Configuration;
using Sallyport.Server.Protocol;
using Spectre.Console;

namespace Sallyport.Commands;

/// <summary><c>user add NAME</c>: in force when it returns, whether or not a gate is running.</summary>
internal static class UserAddCommand
{
    private static readonly Argument<string> s_name = new("NAME") { Description = "The name to sign in with" };
    private static readonly Option<bool> s_passwordStdin = new("--password-stdin") { Description = "Read the password from standard input; one line end at its end is dropped" };
    private static readonly Option<bool> s_operator = new("--operator") { Description = "May operate the gate, and sees everybody's events; the first user does in any case" };

    public static Command Create()
    {
        var command = new Command("add", "Add a user. Prints the new subject id") { s_name, s_passwordStdin, s_operator, CommandLine.Data };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var name = parsed.GetValue(s_name)!;
        var password = parsed.GetValue(s_passwordStdin) ? await ReadPasswordAsync(cancellationToken) : AskPassword();
        var data = parsed.GetValue(CommandLine.Data) ?? GateConfiguration.DefaultDataDirectory();
        var @operator = new Operator(data, TimeProvider.System);
        var isNew = @operator.IsNew;
        var (subject, fault) = await @operator.AddUserAsync(new(name, password, parsed.GetValue(s_operator)), cancellationToken);
        if (subject is null)
            throw Refuse(fault!.Value);
        Console.Error.WriteLine($"User {name} can sign in now{(isNew ? $", at the gate of the new data directory {data}, and operates it" : "")}.");
        Console.Out.WriteLine(subject);
        return (int)ExitCode.Success;
    }

    private static CommandFault Refuse(Reason reason) => new(ExitCode.RefusedInput, OAuthError.For(reason).Description, reason switch
    {
        Reason.NameTaken => "Choose another name",
        Reason.PasswordUnsuitable => "Choose one of that length: there is no other rule",
        _ => "Choose a name of those characters",
    });

    /// <summary>Four bytes a character at most, and the line end.</summary>
    private static Task<string> ReadPasswordAsync(CancellationToken cancellationToken) =>
        SecretInput.ReadAsync("password", (Limits.PasswordMaxLength * 4) + 2, () => Refuse(Reason.PasswordUnsuitable), cancellationToken);

    private static string AskPassword() => Console.IsInputRedirected
        ? throw new CommandFault(ExitCode.Usage, "There is no terminal to ask for the password at", "Give --password-stdin and send it there")
        : CommandLine.Talk.Prompt(new TextPrompt<string>("Password:").Secret(null));
}
