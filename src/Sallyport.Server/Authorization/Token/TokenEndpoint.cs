using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Authorization.Token;

/// <summary>
/// The token endpoint (OAuth 2.1 §3.2).
/// </summary>
/// <remarks>
///     [1 form] ▶ [2 client] ▶ [3 grant type] ▶ [4 the grant: one transaction, with its events] ▶ [5 answer]
///
/// What no grant may forget (the form's limits, the client's authentication, the record of a refusal) is here; a grant only decides
/// whether its own credential is good.
/// </remarks>
internal sealed class TokenEndpoint(ClientAuthentication authentication, AuthorizationCodeGrant codes, RefreshTokenGrant refreshes)
{
    public static void Add(IServiceCollection services)
    {
        services.AddScoped<TokenIssuer>();
        services.AddScoped<AuthorizationCodeGrant>();
        services.AddScoped<RefreshTokenGrant>();
        services.AddScoped<TokenEndpoint>();
    }

    public static void Map(IEndpointRouteBuilder routes) =>
        routes.MapGatePath("/token", PathPolicy.OAuth)
            .On<TokenEndpoint>(HttpMethods.Post, (endpoint, context) => endpoint.ExchangeAsync(context));

    private async Task ExchangeAsync(HttpContext context)
    {
        // 1. The form.
        var (form, unreadable) = await RequestForm.ReadAsync(context, Limits.FormBytes, mayRepeat: "resource");
        if (form is null)
        {
            await RefuseAsync(context, GrantResult.Refuse(unreadable!.Value), client: null);
            return;
        }

        // 2. The client.
        var (client, unauthenticated) = authentication.Authenticate(context, form);
        if (client is null)
        {
            ClientAuthentication.Challenge(context);
            await RefuseAsync(context, GrantResult.Refuse(unauthenticated!.Value), client: null);
            return;
        }

        // 3. and 4. The grant.
        var result = form["grant_type"] switch
        {
            null => GrantResult.Refuse(Reason.ParameterMissing),
            "authorization_code" => await codes.ExchangeAsync(form, client, context.RequestAborted),
            "refresh_token" when !client.GrantTypes.Contains("refresh_token") => GrantResult.Refuse(Reason.GrantTypeUnregistered),
            "refresh_token" => await refreshes.ExchangeAsync(form, client, context.RequestAborted),
            _ => GrantResult.Refuse(Reason.GrantTypeUnsupported),
        };

        // 5. The answer.
        if (result.Answer is { } answer)
        {
            context.NameEvent(result.EventId!);
            context.Response.ContentType = "application/json";
            context.Response.ContentLength = answer.Length;
            await context.Response.Body.WriteAsync(answer, context.RequestAborted);
        }
        else
        {
            await RefuseAsync(context, result, client.Id);
        }
    }

    private static async Task RefuseAsync(HttpContext context, GrantResult result, string? client)
    {
        if (result.EventId is { } recorded)
            context.NameEvent(recorded);
        else
            await context.RecordAsync(new TokenRefused { Id = AuditLog.NewId(), Reason = result.Reason!.Value, Client = client, Grant = result.Grant, Presented = result.Presented });
        await context.WriteJsonAsync(result.Reason!.Value);
    }
}

/// <summary>What a grant came to: the answer's bytes, or why not.</summary>
internal sealed record GrantResult
{
    public byte[]? Answer { get; private init; }
    public Reason? Reason { get; private init; }
    /// <summary>Set when the outcome was recorded together with a change of state.</summary>
    public string? EventId { get; private init; }
    public string? Grant { get; private init; }
    public string? Presented { get; private init; }

    public static GrantResult Issue(byte[] answer, string eventId) => new() { Answer = answer, EventId = eventId };

    /// <summary>Refused without a change of state; the endpoint records it.</summary>
    public static GrantResult Refuse(Reason reason, string? grant = null, string? presented = null) =>
        new() { Reason = reason, Grant = grant, Presented = presented };

    /// <summary>Refused, and recorded with the change of state that went with it.</summary>
    public static GrantResult RefuseRecorded(Reason reason, string eventId) => new() { Reason = reason, EventId = eventId };
}
