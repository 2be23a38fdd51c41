using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Pipeline.Providers;
using Sallyport.Server.Protocol;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Authorization.SignIn;

/// <summary>
/// Sends a browser to an identity provider (OpenID Connect Core §3.1.2.1). The provider learns nothing of the client: neither its state nor
/// its resource, nor where its answer goes.
/// </summary>
internal sealed class ProviderRedirect(
    IdentityProviders providers, ProviderSignIns signIns, StateTransaction state, TransactionSeal seal, GateConfiguration configuration, TimeProvider time)
{
    /// <exception cref="ProviderException">The provider cannot be asked.</exception>
    public async Task SendAsync(HttpContext context, ProviderSetting provider, SignInTransaction transaction)
    {
        // 1. Where to. It is asked before anything is kept.
        var endpoint = (await providers.DiscoverAsync(provider, context.RequestAborted)).Configuration.AuthorizationEndpoint!;

        // 2. Kept until the browser comes back, and bound to it.
        var ourState = OpaqueSecret.New(OpaqueSecret.StatePrefix);
        var binding = BrowserBinding.New();
        var now = time.GetUtcNow();
        var signIn = new ProviderSignIn
        {
            Id = RandomId.New(),
            StateHash = OpaqueSecret.Hash(ourState),
            Issuer = provider.Issuer,
            BrowserHash = binding.Hash,
            Transaction = seal.Seal(transaction),
            ExpiresAt = now + configuration.TransactionLifetime,
        };
        var asked = new ProviderAsked { Id = AuditLog.NewId(), Transaction = transaction.Id, Client = (transaction as AuthorizationTransaction)?.ClientId, Provider = provider.Issuer };
        await state.RunAsync(async () =>
        {
            await signIns.AddAsync(signIn, now, context.RequestAborted);
            state.Record(asked);
            return true;
        }, context.RequestAborted);

        // 3. Off it goes.
        context.NameEvent(asked.Id);
        binding.Write(context, signIn.Id, configuration);
        context.Response.Headers["Referrer-Policy"] = "no-referrer";
        context.Response.StatusCode = StatusCodes.Status302Found;
        context.Response.Headers.Location = QueryHelpers.AddQueryString(endpoint.AbsoluteUri, new Dictionary<string, string?>
        {
            ["response_type"] = "code",
            ["client_id"] = provider.ClientId,
            ["redirect_uri"] = configuration.PublicUrl + provider.CallbackPath,
            ["scope"] = string.Join(' ', provider.Scopes),
            ["state"] = ourState,
            ["nonce"] = binding.NonceSent,
            ["code_challenge"] = binding.CodeChallenge,
            ["code_challenge_method"] = Pkce.Method,
        });
    }
}
