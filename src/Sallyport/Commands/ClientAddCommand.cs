using System.CommandLine;
using Sallyport.Control;
using Sallyport.Log;
using Sallyport.Proof;
using Sallyport.Proof.Events;
using Sallyport.Server.Configuration;
using Sallyport.Server.Operation;
using Sallyport.Server.Protocol;

namespace Sallyport.Commands;

/// <summary><c>client add NAME</c>: for clients that cannot register, and for resource servers. The secret is shown once.</summary>
internal static class ClientAddCommand
{
    private static readonly Argument<string> s_name = new("NAME") { Description = "What users read when they are asked" };
    private static readonly Option<string[]> s_redirectUris = new("--redirect-uri") { Description = "Where answers may go; may be repeated. Without any, it is a resource server, which may ask about tokens", HelpName = "URI" };
    private static readonly Option<string[]> s_presets = new("--preset") { Description = $"The callbacks of a known client: {string.Join(", ", KnownClients.Names)}; may be repeated", HelpName = "CLIENT" };
    private static readonly Option<bool> s_public = new("--public") { Description = "It can keep no secret, and gets none" };

    public static Command Create()
    {
        var command = new Command("add", "Add a client. Prints its id and, unless it is public, its secret: each on a line, this once")
        {
            s_name, s_redirectUris, s_presets, s_public, CommandLine.Json, CommandLine.Data,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        List<string> redirectUris = [.. parsed.GetValue(s_redirectUris) ?? [], .. (parsed.GetValue(s_presets) ?? []).SelectMany(CallbacksOf)];
        var request = new NewClient(parsed.GetValue(s_name)!, [.. redirectUris.Distinct()], parsed.GetValue(s_public));
        if (request is { IsPublic: true, RedirectUris.Count: 0 })
            throw new CommandFault(ExitCode.Usage, "A public client needs an address for its answers", "Give --redirect-uri or --preset; a resource server is not public");
        var data = parsed.GetValue(CommandLine.Data) ?? GateConfiguration.DefaultDataDirectory();
        var @operator = new Operator(data, TimeProvider.System);
        var isNew = @operator.IsNew;
        var added = await @operator.DoAsync(ControlActs.AddClient, request, cancellationToken);
        if (added.Client is null)
            throw Refuse(added);
        Console.Error.WriteLine(request.RedirectUris.Count > 0 ? "The client is known now; users can allow it." : "The resource server is known now: it may ask about every token.");
        if (added.Secret is not null)
            Console.Error.WriteLine("  Its secret is shown this once: only a hash is kept.");
        if (isNew)
            Console.Error.WriteLine($"  It belongs to the gate of the new data directory {data}.");
        Listing.Write(parsed, new(added.Client, added.Secret), ListingJson.Default.NewCredentials, added.Client, added.Secret);
        return (int)ExitCode.Success;
    }

    private static IReadOnlyList<string> CallbacksOf(string preset) => KnownClients.CallbacksOf(preset)
        ?? throw new CommandFault(ExitCode.Usage, $"'{preset.ToPrintable()}' is no known client", $"There are: {string.Join(", ", KnownClients.Names)}. The callbacks of others are given by --redirect-uri");

    private static CommandFault Refuse(AddedClient refused) => refused.Fault switch
    {
        Reason.MetadataInvalid => new(ExitCode.RefusedInput, $"The name is not of 1 to {Limits.ClientNameLength} characters", "Choose one that tells users what asks them"),
        Reason.RedirectMissing => new(ExitCode.RefusedInput, $"There are more than {Limits.RedirectUris} redirect URIs, or they are longer than {Limits.RedirectUrisTotalLength} characters together", "Add several clients"),
        { } reason => new(ExitCode.RefusedInput, $"The redirect URI '{refused.RedirectUri?.ToPrintable()}' is not suitable. {OAuthError.For(reason).Description}", "Write it as the client sends it: https, http on loopback, or a scheme of an application"),
        null => throw new InvalidOperationException("Neither a client nor a reason"),
    };
}
