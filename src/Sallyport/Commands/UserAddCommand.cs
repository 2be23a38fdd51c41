using System.CommandLine;
using Sallyport.Control;
using Sallyport.Proof.Events;
using Sallyport.Server.Configuration;
using Sallyport.Server.Protocol;

namespace Sallyport.Commands;

/// <summary><c>user add NAME</c>: in force when it returns, whether or not a gate is running.</summary>
internal static class UserAddCommand
{
    private static readonly Argument<string> s_name = new("NAME") { Description = "The name to sign in with" };
    private static readonly Option<bool> s_operator = new("--operator") { Description = "May operate the gate, and sees everybody's events; the first user does in any case" };

    public static Command Create()
    {
        var command = new Command("add", "Add a user. Prints the new subject id") { s_name, PasswordInput.FromStdin, s_operator, CommandLine.Json, CommandLine.Data };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var name = parsed.GetValue(s_name)!;
        var password = await PasswordInput.ReadAsync(parsed, cancellationToken);
        var data = parsed.GetValue(CommandLine.Data) ?? GateConfiguration.DefaultDataDirectory();
        var @operator = new Operator(data, TimeProvider.System);
        var isNew = @operator.IsNew;
        var (subject, fault) = await @operator.DoAsync(ControlActs.AddUser, new(name, password, parsed.GetValue(s_operator)), cancellationToken);
        if (subject is null)
            throw fault == Reason.PasswordUnsuitable ? PasswordInput.Unsuitable() : Refuse(fault!.Value);
        Console.Error.WriteLine($"User {name} can sign in now{(isNew ? $", at the gate of the new data directory {data}, and operates it" : "")}.");
        Listing.Write(parsed, new(subject), ListingJson.Default.ActedUser, subject);
        return (int)ExitCode.Success;
    }

    private static CommandFault Refuse(Reason reason) => new(ExitCode.RefusedInput, OAuthError.For(reason).Description, reason switch
    {
        Reason.NameTaken => "Choose another name",
        _ => "Choose a name of those characters",
    });
}
