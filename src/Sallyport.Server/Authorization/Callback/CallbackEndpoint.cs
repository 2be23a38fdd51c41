using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Audit.Values;
using Sallyport.Server.Configuration;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Pipeline.Providers;
using Sallyport.Server.Protocol;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Authorization.Callback;

/// <summary>Where an identity provider sends browsers back to, on their way from the sign-in page to <c>/consent</c> or <c>/account</c>.</summary>
internal sealed partial class CallbackEndpoint(
    ProviderSignIns signIns, ProviderAnswer answer, StateTransaction state, Accounts accounts, ErasableValues values, TransactionSeal seal,
    AuthorizationResponse response, GateConfiguration configuration, TimeProvider time, ILogger<CallbackEndpoint> logger)
{
    private const string ProviderMethod = "provider";

    public static void Add(IServiceCollection services)
    {
        services.AddScoped<CallbackEndpoint>();
        services.AddScoped<ProviderAnswer>();
    }

    public static void Map(IEndpointRouteBuilder routes, GateConfiguration configuration)
    {
        foreach (var provider in configuration.Providers)
        {
            routes.MapGatePath(provider.CallbackPath, PathPolicy.Page)
                .On<CallbackEndpoint>(HttpMethods.Get, (endpoint, context) => endpoint.ReturnAsync(context, provider));
        }
    }

    private async Task ReturnAsync(HttpContext context, ProviderSetting provider)
    {
        // 1. A state of ours, for this provider, from the browser that it was given to. Until here nothing is used up.
        var (query, unreadable) = RequestForm.FromQuery(context.Request);
        var (signIn, unasked) = query is null ? (null, unreadable) : await FindAsync(query, provider, context);
        if (signIn is null)
        {
            await RefuseAsync(context, unasked!.Value, provider, transaction: null);
            return;
        }
        if (BrowserBinding.Read(context, signIn.Id, signIn.BrowserHash, configuration) is not { } binding)
        {
            await RefuseAsync(context, Reason.ProviderBrowserForeign, provider, transaction: null);
            return;
        }

        // 2. It is good once, whatever comes of it.
        var (transaction, fault) = seal.OpenAny(signIn.Transaction);
        if (fault is not null)
        {
            await RefuseAsync(context, fault.Value, provider, transaction);
            return;
        }
        if (!await RedeemAsync(signIn, transaction!, context))
        {
            await RefuseAsync(context, Reason.ProviderStateUsed, provider, transaction);
            return;
        }
        BrowserBinding.Drop(context, signIn.Id, configuration);

        // 3. Who is it, by the provider's word, and do we admit them?
        try
        {
            var user = await answer.ReadAsync(query!, provider, binding, context.RequestAborted);
            if (Admission.Judge(provider, user) is { } refusal)
                await RefuseAsync(context, refusal, provider, transaction);
            else
                await SignInAsync(context, provider, user, transaction!);
        }
        catch (ProviderException exception)
        {
            LogRefused(logger, provider.Issuer, exception.Reason.Word(), exception.Message);
            await RefuseAsync(context, exception.Reason, provider, transaction);
        }
    }

    private async Task<(ProviderSignIn? SignIn, Reason? Fault)> FindAsync(RequestForm query, ProviderSetting provider, HttpContext context)
    {
        if (query.RepeatsAnyBut(""))
            return (null, Reason.ParameterRepeated);
        if (query["state"] is not { } ourState)
            return (null, Reason.ProviderStateMissing);
        if (await signIns.FindAsync(ourState, context.RequestAborted) is not { } signIn)
            return (null, Reason.ProviderStateUnknown);
        if (signIn.Issuer != provider.Issuer)
            return (null, Reason.ProviderStateOfAnother);
        if (signIn.AnsweredAt is not null)
            return (null, Reason.ProviderStateUsed);
        return signIn.ExpiresAt <= time.GetUtcNow() ? (null, Reason.ProviderStateExpired) : (signIn, null);
    }

    private Task<bool> RedeemAsync(ProviderSignIn signIn, SignInTransaction transaction, HttpContext context) =>
        state.RunAsync(async () =>
        {
            if (!await signIns.RedeemAsync(signIn.Id, time.GetUtcNow(), context.RequestAborted))
                return false;
            state.Record(new ProviderAnswered { Id = AuditLog.NewId(), Transaction = transaction.Id, Provider = signIn.Issuer });
            return true;
        }, context.RequestAborted);

    private async Task SignInAsync(HttpContext context, ProviderSetting provider, ProviderUser user, SignInTransaction transaction)
    {
        // The account, at the first sign-in, and the event in one.
        var session = await state.RunAsync(async () =>
        {
            if (await accounts.OfProviderAsync(provider.Issuer, user.Subject, user.DisplayName, context.RequestAborted) is not { } account)
                return null;
            var session = new BrowserSession(account.Id, RandomId.New());
            var authenticated = new UserAuthenticated
            {
                Id = AuditLog.NewId(),
                Subject = session.Subject,
                Authentication = session.Authentication,
                Method = ProviderMethod,
                Name = values.Commit(ValueKind.UserName, user.DisplayName),
                Transaction = transaction.Id,
                Provider = provider.Issuer,
            };
            state.Record(authenticated);
            context.NameEvent(authenticated.Id);
            return session;
        }, context.RequestAborted);
        if (session is null)
        {
            await RefuseAsync(context, Reason.ProviderUserRemoved, provider, transaction);
            return;
        }

        // Signed in with a fresh cookie; a client is still to be allowed.
        await session.WriteAsync(context);
        context.Response.Headers["Referrer-Policy"] = "no-referrer";
        context.Response.StatusCode = StatusCodes.Status302Found;
        context.Response.Headers.Location = seal.AfterSignIn(transaction);
    }

    private async Task RefuseAsync(HttpContext context, Reason reason, ProviderSetting provider, SignInTransaction? transaction)
    {
        await context.RecordAsync(new UserRefused { Id = AuditLog.NewId(), Reason = reason, Transaction = transaction?.Id, Provider = provider.Issuer });
        // Who said no at the provider need not be told; the client does.
        if (reason == Reason.ProviderDenied && transaction is AuthorizationTransaction asked)
            response.Denied(context, asked);
        else
            await context.WritePageOrJsonAsync(reason);
    }

    [LoggerMessage(LogLevel.Warning, "A sign-in by {Issuer} failed ({Reason}): {Detail}")]
    private static partial void LogRefused(ILogger logger, string issuer, string reason, string detail);
}
