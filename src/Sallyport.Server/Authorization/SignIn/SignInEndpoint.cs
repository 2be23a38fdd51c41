using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Audit.Values;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Pipeline.Pages;
using Sallyport.Server.Pipeline.Providers;
using Sallyport.Server.Protocol;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Authorization.SignIn;

/// <summary>Sign-in by a local account or an identity provider, on the way from <c>/authorize</c> to <c>/consent</c>, or to <c>/account</c>.</summary>
internal sealed partial class SignInEndpoint(
    TransactionSeal seal, PageForm pageForm, ClientStore clients, Accounts accounts, RequestLimits limits, ErasableValues values,
    IdentityProviders providers, ProviderRedirect redirect, ILogger<SignInEndpoint> logger)
{
    private const string PasswordMethod = "pwd";

    /// <summary>The form field that names an identity provider.</summary>
    public const string ProviderField = "provider";

    public static void Add(IServiceCollection services)
    {
        services.AddScoped<SignInEndpoint>();
        services.AddScoped<ProviderRedirect>();
    }

    public static void Map(IEndpointRouteBuilder routes) =>
        routes.MapGatePath("/signin", PathPolicy.Page)
            .On<SignInEndpoint>(HttpMethods.Get, (endpoint, context) => endpoint.ShowAsync(context))
            .On<SignInEndpoint>(HttpMethods.Post, (endpoint, context) => endpoint.SignInAsync(context));

    private async Task ShowAsync(HttpContext context)
    {
        var (transaction, fault) = seal.OpenAny(context.Request.Query[TransactionSeal.Field]);
        if (fault is not null)
            await RefuseAsync(context, fault.Value, transaction);
        else if (await BrowserSession.ReadAsync(context) is { } session && await accounts.ExistsAsync(session.Subject, context.RequestAborted))
            GoOn(context, transaction!);
        else
            await ShowPageAsync(context, transaction!, failed: false);
    }

    private async Task SignInAsync(HttpContext context)
    {
        // 1. A form of ours, of a transaction that is still on its way.
        var (form, unreadable) = await pageForm.ReadAsync(context);
        var (transaction, fault) = seal.OpenAny(form?[TransactionSeal.Field]);
        if ((unreadable ?? fault) is { } reason)
        {
            await RefuseAsync(context, reason, transaction);
            return;
        }

        if (form![ProviderField] is { } provider)
        {
            await GoToProviderAsync(context, provider, transaction!);
            return;
        }

        // 2. Name and password. Both kinds of failure look alike and take as long.
        var name = form!["username"] ?? "";
        User? user;
        using (await limits.DemandSignInAsync(context, name))
        {
            user = await accounts.VerifyAsync(name, form["password"] ?? "");
            if (user is null)
                limits.SignInFailed(context, name);
        }
        if (user is null)
        {
            await context.RecordAsync(new UserRefused { Id = AuditLog.NewId(), Reason = Reason.CredentialsWrong, Transaction = transaction!.Id });
            await ShowPageAsync(context, transaction, failed: true);
            return;
        }

        // 3. Recorded, then signed in with a fresh cookie.
        var session = new BrowserSession(user.Id, RandomId.New());
        await context.RecordAsync(new UserAuthenticated
        {
            Id = AuditLog.NewId(),
            Subject = session.Subject,
            Authentication = session.Authentication,
            Method = PasswordMethod,
            Name = values.Commit(ValueKind.UserName, user.UserName!),
            Transaction = transaction!.Id,
        });
        await session.WriteAsync(context);
        GoOn(context, transaction);
    }

    private async Task GoToProviderAsync(HttpContext context, string name, SignInTransaction transaction)
    {
        if (providers.All.FirstOrDefault(candidate => candidate.Name == name) is not { } provider)
        {
            await RefuseAsync(context, Reason.ProviderUnknown, transaction);
            return;
        }
        limits.DemandProviderSignIn(context);
        try
        {
            await redirect.SendAsync(context, provider, transaction);
        }
        catch (ProviderException exception)
        {
            LogUnusable(logger, provider.Issuer, exception.Reason.Word(), exception.Message);
            await RefuseAsync(context, exception.Reason, transaction, provider.Issuer);
        }
    }

    private void GoOn(HttpContext context, SignInTransaction transaction)
    {
        context.Response.StatusCode = StatusCodes.Status302Found;
        context.Response.Headers.Location = seal.AfterSignIn(transaction);
    }

    private async Task ShowPageAsync(HttpContext context, SignInTransaction transaction, bool failed)
    {
        var asked = transaction as AuthorizationTransaction;
        var (client, fault) = asked is null ? default : await clients.FindUsableAsync(asked.ClientId, context.RequestAborted);
        if (fault is { } reason)
        {
            await RefuseAsync(context, reason, transaction);
            return;
        }
        await PageResponse.WriteAsync<SignInPage>(context, failed ? StatusCodes.Status401Unauthorized : StatusCodes.Status200OK, new()
        {
            [nameof(SignInPage.ClientName)] = client?.Name,
            [nameof(SignInPage.Destination)] = asked is null ? null : RedirectUri.Destination(asked.RedirectUri),
            [nameof(SignInPage.Transaction)] = seal.Seal(transaction),
            [nameof(SignInPage.FormToken)] = pageForm.TokenFor(context),
            [nameof(SignInPage.Failed)] = failed,
            [nameof(SignInPage.Providers)] = providers.All.Select(provider => (provider.Name, provider.Title)).ToList(),
            [nameof(SignInPage.HasPasswords)] = providers.All.Count == 0 || await accounts.AnyAsync(context.RequestAborted),
        });
    }

    private static async Task RefuseAsync(HttpContext context, Reason reason, SignInTransaction? transaction, string? provider = null)
    {
        await context.RecordAsync(new UserRefused { Id = AuditLog.NewId(), Reason = reason, Transaction = transaction?.Id, Provider = provider });
        await context.WritePageOrJsonAsync(reason);
    }

    [LoggerMessage(LogLevel.Warning, "Nobody can sign in by {Issuer} ({Reason}): {Detail}")]
    private static partial void LogUnusable(ILogger logger, string issuer, string reason, string detail);
}
