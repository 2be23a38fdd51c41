using System.CommandLine;
using Microsoft.Extensions.DependencyInjection;
using Sallyport.Control;
using Sallyport.Log;
using Sallyport.Proof;
using Sallyport.Server.Operation;

namespace Sallyport.Commands;

/// <summary><c>client show ID</c>: all that is kept of one client. It only reads.</summary>
internal static class ClientShowCommand
{
    private static readonly Argument<string> s_client = new("CLIENT") { Description = "The client's id" };

    public static Command Create()
    {
        var command = new Command("show", "Show one client") { s_client, CommandLine.Json, CommandLine.Data };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var id = parsed.GetValue(s_client)!;
        var found = await Operator.Of(parsed).ReadAsync(services => services.GetRequiredService<ClientActs>().FindAsync(id, cancellationToken), cancellationToken);
        var client = ListedClient.Of(found ?? throw Unknown(id));
        Listing.Write(parsed, client, ListingJson.Default.ListedClient,
        [
            $"Client        {client.ClientId}",
            $"Name          {client.ClientName?.ToPrintable() ?? "-"}  (unverified)",
            $"Kind          {client.Kind}, {client.TokenEndpointAuthMethod}",
            $"State         {(client.DisabledAt is null ? client.State : $"disabled since {Listing.Time(client.DisabledAt)}")}",
            $"Came by       {client.Origin}, {Listing.Time(client.CreatedAt)}{(client.RepeatedAt is null ? "" : $", last {Listing.Time(client.RepeatedAt)}")}",
            $"Grant types   {string.Join(", ", client.GrantTypes)}",
            .. client.RedirectUris.Select(uri => $"Redirect URI  {uri.ToPrintable()}"),
        ]);
        return (int)ExitCode.Success;
    }

    /// <summary>There is none of that id.</summary>
    public static CommandFault Unknown(string id) => new(ExitCode.RefusedInput, $"There is no client '{id.ToPrintable()}'", "See 'sallyport client list'");
}
