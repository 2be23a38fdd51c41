using System.CommandLine;
using Sallyport.Control;
using Sallyport.Log;
using Sallyport.Proof;

namespace Sallyport.Commands;

/// <summary><c>token revoke</c>: ends grants with all their tokens; in force when it returns, open streams included.</summary>
internal static class TokenRevokeCommand
{
    private static readonly Argument<string?> s_grant = new("GRANT") { Description = "A grant's id", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<string?> s_user = new("--user") { Description = "All that this user has allowed; with --client, what they have allowed it", HelpName = "NAME|SUBJECT" };
    private static readonly Option<string?> s_client = new("--client") { Description = "All that this client was allowed", HelpName = "ID" };

    public static Command Create()
    {
        var command = new Command("revoke", "End a grant with all its tokens, or all of a user or client. Prints the ids of those that ended") { s_grant, s_user, s_client, CommandLine.Json, CommandLine.Data };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var (grant, user, client) = (parsed.GetValue(s_grant), parsed.GetValue(s_user), parsed.GetValue(s_client));
        if (grant is null == (user ?? client) is null)
            throw new CommandFault(ExitCode.Usage, "Which are to end?", "Name one grant, as 'sallyport token list' shows it, or give --user, --client or both");
        var ended = (await Operator.Of(parsed).DoAsync(ControlActs.RevokeGrants, new(grant, user, client), cancellationToken)).Grants
            ?? throw Unknown(grant, user, client);
        Console.Error.WriteLine(ended.Count == 0 ? "There was nothing to end." : $"{(ended.Count == 1 ? "1 grant has" : $"{ended.Count} grants have")} ended, with all tokens.");
        foreach (var id in ended)
            Listing.Write(parsed, new(id), ListingJson.Default.RevokedGrant, id);
        return (int)ExitCode.Success;
    }

    private static CommandFault Unknown(string? grant, string? user, string? client) => grant is not null
        ? new(ExitCode.RefusedInput, $"No grant '{grant.ToPrintable()}' lives", "See 'sallyport token list' for those that do")
        : new(ExitCode.RefusedInput, $"There is no {string.Join(" or no ", new[] { Named("user", user), Named("client", client) }.OfType<string>())}", "See 'sallyport user list' and 'sallyport client list'");

    private static string? Named(string what, string? id) => id is null ? null : $"{what} '{id.ToPrintable()}'";
}
