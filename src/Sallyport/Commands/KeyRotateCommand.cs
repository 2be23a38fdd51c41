using System.CommandLine;
using System.Globalization;
using Sallyport.Control;
using Sallyport.Server.Protocol;

namespace Sallyport.Commands;

/// <summary><c>key rotate</c>: another key makes access tokens. What the others made stays good until it expires.</summary>
internal static class KeyRotateCommand
{
    private static readonly Option<bool> s_atOnce = new("--at-once") { Description = "Drop the other keys: every access token ends now, and clients refresh theirs. For when a key is in wrong hands" };

    public static Command Create()
    {
        var command = new Command("rotate", "Make access tokens with a new key. Prints its id") { s_atOnce, CommandLine.Data };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var atOnce = parsed.GetValue(s_atOnce);
        var (keyId, signsFrom, fault) = await Operator.Of(parsed).DoAsync(ControlActs.RotateTokenKey, new(atOnce), cancellationToken);
        if (keyId is null)
            throw new CommandFault(ExitCode.Fault, $"The new key could not be kept: {fault}", "Nothing was changed, though the log has the attempt. Make the data directory writable, and try again");
        Console.Error.WriteLine(atOnce
            ? "This key makes access tokens from now on. Those of the others ended; clients refresh them by themselves."
            : string.Create(CultureInfo.InvariantCulture, $"This key is at /jwks now, and makes access tokens from {signsFrom:HH:mm:ss} UTC on. The one before it is accepted for {TokenKeys.Overlap.TotalHours} more hours."));
        Console.Out.WriteLine(keyId);
        return (int)ExitCode.Success;
    }
}
