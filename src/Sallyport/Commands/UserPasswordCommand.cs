using System.CommandLine;
using Sallyport.Control;
using Sallyport.Log;
using Sallyport.Proof;
using Sallyport.Proof.Events;

namespace Sallyport.Commands;

/// <summary><c>user password NAME</c>: the new one is the only one when it returns, and sign-ins with the old one are over.</summary>
internal static class UserPasswordCommand
{
    private static readonly Argument<string> s_name = new("NAME") { Description = "The name they sign in with, or their subject" };

    public static Command Create()
    {
        var command = new Command("password", "Set a user's password, and end their sign-ins. Prints the subject") { s_name, PasswordInput.FromStdin, CommandLine.Json, CommandLine.Data };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var (name, @operator) = (parsed.GetValue(s_name)!, Operator.Of(parsed));
        var password = await PasswordInput.ReadAsync(parsed, cancellationToken);
        var (subject, fault) = await @operator.DoAsync(ControlActs.SetPassword, new(name, password), cancellationToken);
        if (fault == Reason.PasswordUnsuitable)
            throw PasswordInput.Unsuitable();
        if (subject is null)
            throw new CommandFault(ExitCode.RefusedInput, $"There is no user '{name.ToPrintable()}' with a password", "See 'sallyport user list'; who signs in by a provider has no password here");
        Console.Error.WriteLine($"User {name.ToPrintable()} signs in with the new password now. What they have allowed stays.");
        Listing.Write(parsed, new(subject), ListingJson.Default.ActedUser, subject);
        return (int)ExitCode.Success;
    }
}
