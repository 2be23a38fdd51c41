using System.CommandLine;
using Sallyport.Control;
using Sallyport.Log;
using Sallyport.Proof;

namespace Sallyport.Commands;

/// <summary><c>user remove</c>, <c>user disable</c> and <c>user enable</c>: in force when they return, open streams included.</summary>
internal static class UserChangeCommand
{
    private static readonly Argument<string> s_name = new("NAME") { Description = "The name they sign in with, or their subject; of a provider's user the subject" };

    public static Command Remove() => Create(
        "remove", "Remove a user, and end all that they have allowed. One of a provider does not come back until they are enabled",
        ControlActs.RemoveUser, "is removed. What they had allowed has ended");

    public static Command Disable() => Create(
        "disable", "Keep a user from signing in, and end all that they have allowed",
        ControlActs.DisableUser, "cannot sign in any more. What they had allowed has ended");

    public static Command Enable() => Create(
        "enable", "Let a user sign in again who was disabled, or was removed and signs in by a provider",
        ControlActs.EnableUser, "can sign in again. What had ended stays so");

    private static Command Create(string name, string description, ControlAct<UserRequest, UserResponse> act, string done)
    {
        var command = new Command(name, $"{description}. Prints the subject") { s_name, CommandLine.Json, CommandLine.Data };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var user = parsed.GetValue(s_name)!;
            var subject = (await Operator.Of(parsed).DoAsync(act, new(user), cancellationToken)).Subject ?? throw Unknown(user);
            Console.Error.WriteLine($"User {user.ToPrintable()} {done}.");
            Listing.Write(parsed, new(subject), ListingJson.Default.ActedUser, subject);
            return (int)ExitCode.Success;
        });
        return command;
    }

    /// <summary>Whoever is named is nobody here.</summary>
    public static CommandFault Unknown(string user) =>
        new(ExitCode.RefusedInput, $"There is no user '{user.ToPrintable()}'", "See 'sallyport user list'; who signs in by a provider is named by the subject");
}
