using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Pipeline.Pages;
using Sallyport.Server.Protocol;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Authorization.Account;

/// <summary>
/// What a user has allowed, and how they end it: each application at each server by itself, and all their sign-ins. Whoever is not signed
/// in is sent to sign in first. The same form twice does nothing the second time.
/// </summary>
internal sealed class AccountEndpoint(
    TransactionSeal seal, PageForm pageForm, GrantStore grants, Accounts accounts, StateTransaction state, GateConfiguration configuration, TimeProvider time)
{
    private const string Path = "/account";

    /// <summary>The form field with what is to be done, and what it may be.</summary>
    public const string ActField = "act";
    public const string Withdraw = "withdraw";
    public const string SignOut = "sign_out";

    /// <summary>Of <see cref="Withdraw"/>: whose access to what.</summary>
    public const string ClientField = "client";
    public const string ServerField = "server";

    public static void Add(IServiceCollection services) => services.AddScoped<AccountEndpoint>();

    public static void Map(IEndpointRouteBuilder routes) =>
        routes.MapGatePath(Path, PathPolicy.Page)
            .On<AccountEndpoint>(HttpMethods.Get, (endpoint, context) => endpoint.ShowAsync(context))
            .On<AccountEndpoint>(HttpMethods.Post, (endpoint, context) => endpoint.ChangeAsync(context));

    private async Task ShowAsync(HttpContext context)
    {
        if (await SignedIn.ReadAsync(context, accounts) is not { } signedIn)
        {
            GoToSignIn(context);
            return;
        }
        var live = await grants.ListAsync(clientId: null, signedIn.Session.Subject, time.GetUtcNow(), context.RequestAborted);
        await PageResponse.WriteAsync<AccountPage>(context, StatusCodes.Status200OK, new()
        {
            [nameof(AccountPage.UserName)] = signedIn.Name,
            [nameof(AccountPage.Allowed)] = AllowedApplications.Of(live),
            [nameof(AccountPage.TokenLifetime)] = configuration.AccessTokenLifetime,
            [nameof(AccountPage.FormToken)] = pageForm.TokenFor(context),
        });
    }

    private async Task ChangeAsync(HttpContext context)
    {
        // 1. A form of ours, opened by whoever is signed in at this browser.
        var signedIn = await SignedIn.ReadAsync(context, accounts);
        var (form, unreadable) = await pageForm.ReadAsync(context);
        if (form is null)
        {
            await RefuseAsync(context, unreadable!.Value, signedIn?.Session.Subject);
            return;
        }
        if (signedIn is null)
        {
            GoToSignIn(context);
            return;
        }

        // 2. What it asks for; in force when the answer leaves.
        switch (form[ActField], form[ClientField], form[ServerField])
        {
            case (Withdraw, { } client, { } server):
                await WithdrawAsync(context, signedIn.Session.Subject, client, server);
                break;
            case (SignOut, _, _):
                await SignOutAsync(context, signedIn.Session.Subject);
                break;
            default:
                await RefuseAsync(context, Reason.DecisionMissing, signedIn.Session.Subject);
                break;
        }
    }

    private async Task WithdrawAsync(HttpContext context, string subject, string client, string server)
    {
        var revoked = await state.RunAsync(async () =>
        {
            var ended = await grants.RevokeAllAsync(client, subject, time.GetUtcNow(), context.RequestAborted, server);
            var events = ended.ConvertAll(grant => new TokenRevoked { Id = AuditLog.NewId(), Reason = Reason.RevokedByUser, Grant = grant });
            events.ForEach(state.Record);
            return events;
        }, context.RequestAborted);
        if (revoked.Count > 0)
            context.NameEvent(revoked[0].Id);
        // What is shown next can be reloaded.
        context.Response.StatusCode = StatusCodes.Status303SeeOther;
        context.Response.Headers.Location = Path;
    }

    private async Task SignOutAsync(HttpContext context, string subject)
    {
        var signedOut = new UserSignedOut { Id = AuditLog.NewId(), Subject = subject };
        await state.RunAsync(async () =>
        {
            await accounts.SignOutAsync(subject, time.GetUtcNow(), context.RequestAborted);
            state.Record(signedOut);
            return true;
        }, context.RequestAborted);
        context.NameEvent(signedOut.Id);
        await BrowserSession.EndAsync(context);
        await PageResponse.WriteAsync<SignedOutPage>(context, StatusCodes.Status200OK, []);
    }

    private void GoToSignIn(HttpContext context)
    {
        var transaction = new AccountTransaction { Id = RandomId.New(), StartedAt = time.GetUtcNow() };
        context.Response.StatusCode = StatusCodes.Status303SeeOther;
        context.Response.Headers.Location = seal.ToSignIn(transaction);
    }

    private static async Task RefuseAsync(HttpContext context, Reason reason, string? subject)
    {
        await context.RecordAsync(new UserRefused { Id = AuditLog.NewId(), Reason = reason, Subject = subject });
        await context.WritePageOrJsonAsync(reason);
    }
}
