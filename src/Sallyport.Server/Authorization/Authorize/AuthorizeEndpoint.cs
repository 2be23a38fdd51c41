using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Protocol;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Authorization.Authorize;

/// <summary>
/// The authorization endpoint (OAuth 2.1 §4.1.1). Until client and redirect URI are trusted, an error is answered here; after that it
/// goes to the client, with <c>state</c> and <c>iss</c>. A good request goes on to the sign-in page, sealed.
/// </summary>
internal sealed class AuthorizeEndpoint(
    ClientStore clients, AdmittedRedirects redirects, AuthorizationResponse response, TransactionSeal seal, GateConfiguration configuration, TimeProvider time)
{
    public static void Add(IServiceCollection services) => services.AddScoped<AuthorizeEndpoint>();

    public static void Map(IEndpointRouteBuilder routes) =>
        routes.MapGatePath("/authorize", PathPolicy.Authorize)
            .On<AuthorizeEndpoint>(HttpMethods.Get, (endpoint, context) => endpoint.AuthorizeAsync(context))
            .On<AuthorizeEndpoint>(HttpMethods.Post, (endpoint, context) => endpoint.AuthorizeAsync(context));

    private async Task AuthorizeAsync(HttpContext context)
    {
        // 1. Read the parameters.
        var (request, unreadable) = HttpMethods.IsPost(context.Request.Method)
            ? await RequestForm.ReadRepeatableAsync(context, Limits.PageFormBytes)
            : RequestForm.FromQuery(context.Request);
        if (request is null)
        {
            await RefuseHereAsync(context, unreadable!.Value, client: null);
            return;
        }

        // 2. Which client, and may its answer go to that address? Nothing before this may redirect.
        if (request.Repeats("client_id") || request.Repeats("redirect_uri"))
        {
            await RefuseHereAsync(context, Reason.ParameterRepeated, client: null);
            return;
        }
        if (request["client_id"] is not { } clientId || request["redirect_uri"] is not { } redirectUri)
        {
            await RefuseHereAsync(context, Reason.ParameterMissing, client: null);
            return;
        }
        var (client, unusable) = await clients.FindUsableAsync(clientId, context.RequestAborted);
        if (client is null)
        {
            await RefuseHereAsync(context, unusable!.Value, unusable == Reason.ClientUnknown ? null : clientId);
            return;
        }
        if (!client.RedirectUris.Any(registered => RedirectUri.Matches(registered, redirectUri)))
        {
            await RefuseHereAsync(context, Reason.RedirectUnregistered, client.Id);
            return;
        }
        if (!redirects.Admits(client, redirectUri))
        {
            await RefuseHereAsync(context, Reason.RedirectNotAdmitted, client.Id);
            return;
        }

        // 3. Everything else; what is wrong now the client is told at its own address.
        var state = request.Repeats("state") || request["state"]?.Length > Limits.StateLength ? null : request["state"];
        if (Judge(request) is { } fault)
        {
            await context.RecordAsync(new AuthorizationRefused { Id = AuditLog.NewId(), Reason = fault, Client = client.Id });
            response.Error(context, redirectUri, state, fault);
            return;
        }

        // 4. Seal it and go on to sign-in.
        var scopes = Scope.Parse(request["scope"])!;
        var transaction = new AuthorizationTransaction
        {
            Id = RandomId.New(),
            ClientId = client.Id,
            RedirectUri = redirectUri,
            CodeChallenge = request["code_challenge"]!,
            Audience = configuration.FindUpstream(request.All("resource"))!.Audience,
            Scopes = scopes.Contains(Scope.Mcp) ? scopes : [.. Scope.Default, .. scopes],
            State = state,
            IsPrompted = request["prompt"] is not null,
            StartedAt = time.GetUtcNow(),
        };
        await context.RecordAsync(new AuthorizationStarted
        {
            Id = AuditLog.NewId(),
            Transaction = transaction.Id,
            Client = client.Id,
            RedirectUri = redirectUri,
            Audience = transaction.Audience,
            Scopes = transaction.Scopes,
        });
        context.Response.Headers["Referrer-Policy"] = "no-referrer";
        context.Response.StatusCode = StatusCodes.Status302Found;
        context.Response.Headers.Location = seal.ToSignIn(transaction);
    }

    /// <summary>The checks whose failure the client is told, in the order in which it is told of one.</summary>
    private Reason? Judge(RequestForm request)
    {
        if (request.RepeatsAnyBut("resource"))
            return Reason.ParameterRepeated;
        if (request["state"]?.Length > Limits.StateLength || request["scope"]?.Length > Limits.ParameterLength)
            return Reason.ParameterTooLong;
        if (request["request"] is not null)
            return Reason.RequestObjectUnsupported;
        if (request["request_uri"] is not null)
            return Reason.RequestUriUnsupported;
        if (request["response_type"] is not { } responseType)
            return Reason.ParameterMissing;
        if (responseType != "code")
            return Reason.ResponseTypeUnsupported;
        if (request["response_mode"] is not (null or "query"))
            return Reason.ResponseModeUnsupported;
        if (request["code_challenge"] is not { } challenge)
            return Reason.PkceMissing;
        if (request["code_challenge_method"] != Pkce.Method)
            return Reason.PkceNotS256;
        if (!Pkce.IsChallenge(challenge))
            return Reason.PkceMalformed;
        if (Scope.Parse(request["scope"]) is null)
            return Reason.ScopeMalformed;
        if (configuration.FindUpstream(request.All("resource")) is null)
            return Reason.ResourceUnknown;
        if (request["prompt"] is { } prompt && prompt.Split(' ').Contains("none"))
            return Reason.PromptNone;
        return null;
    }

    private static async Task RefuseHereAsync(HttpContext context, Reason reason, string? client)
    {
        await context.RecordAsync(new AuthorizationRefused { Id = AuditLog.NewId(), Reason = reason, Client = client });
        await context.WritePageOrJsonAsync(reason, status: reason == Reason.ClientUnknown ? StatusCodes.Status400BadRequest : null);
    }
}
