using System.Globalization;
using System.Security.Claims;
using OpenIddict.Abstractions;
using OpenIddict.Client;
using Sallyport.Proof.Events;
using Sallyport.Server.Configuration;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Pipeline.Providers;
using Sallyport.Server.Protocol;
using static OpenIddict.Abstractions.OpenIddictConstants;
using static OpenIddict.Client.OpenIddictClientEvents;

namespace Sallyport.Server.Authorization.Callback;

/// <summary>
/// Reads what a provider sent along with the browser: exchanges the code and validates what comes (OpenID Connect Core §3.1.2.5 to
/// §3.1.3.7, RFC 9207), by OpenIddict, and checks what that leaves open.
/// </summary>
internal sealed class ProviderAnswer(
    IdentityProviders providers, IServiceProvider services, GateConfiguration configuration, TimeProvider time)
{
    /// <summary>So far may clocks differ.</summary>
    private static readonly TimeSpan s_skew = TimeSpan.FromMinutes(1);

    private static readonly string[] s_understood = [Parameters.State, Parameters.Code, Parameters.Error, Parameters.Iss];

    /// <exception cref="ProviderException">Nobody is to be signed in.</exception>
    public async Task<ProviderUser> ReadAsync(RequestForm query, ProviderSetting provider, BrowserBinding binding, CancellationToken cancellationToken)
    {
        // 1. What can be said without asking anybody.
        if (query["iss"] is { } issuer && issuer != provider.Issuer)
            throw new ProviderException(Reason.ProviderIssuerMismatch, "the answer names another issuer: it may be meant for another provider");
        if (query["code"] is null && query["error"] is null)
            throw new ProviderException(Reason.ProviderCodeMissing, "the answer has neither a code nor an error");

        // 2. The code for tokens, and those checked.
        var discovered = await providers.DiscoverAsync(provider, cancellationToken);
        var context = await ExchangeAsync(query, discovered, binding, cancellationToken);

        // 3. What OpenIddict does not check.
        var token = context.BackchannelIdentityTokenPrincipal
            ?? throw new ProviderException(Reason.ProviderTokenMissing, "there is no id_token");
        Check(token, provider);
        return Read(token, context.UserInfoTokenPrincipal, provider);
    }

    private async Task<ProcessAuthenticationContext> ExchangeAsync(
        RequestForm query, DiscoveredProvider provider, BrowserBinding binding, CancellationToken cancellationToken)
    {
        var conversation = BackChannel.With(provider.Setting);
        var factory = (IOpenIddictClientFactory)services.GetService(typeof(IOpenIddictClientFactory))!;
        var dispatcher = (IOpenIddictClientDispatcher)services.GetService(typeof(IOpenIddictClientDispatcher))!;
        var transaction = await factory.CreateTransactionAsync();
        transaction.CancellationToken = cancellationToken;
        transaction.EndpointType = OpenIddictClientEndpointType.Redirection;
        transaction.BaseUri = new(configuration.PublicUrl);
        transaction.RequestUri = new(configuration.PublicUrl + provider.Setting.CallbackPath);
        transaction.Request = new OpenIddictRequest(s_understood
            .Select(name => KeyValuePair.Create(name, query[name]))
            .Where(parameter => parameter.Value is not null));
        var context = new ProcessAuthenticationContext(transaction)
        {
            Registration = provider.Registration,
            Configuration = provider.Configuration,
            StateTokenPrincipal = Asked(provider, binding),
            RequestForgeryProtection = binding.Hash,
        };
        try
        {
            await dispatcher.DispatchAsync(context);
        }
        catch (Exception exception) when (exception is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            throw conversation.Fault ?? new ProviderException(Reason.ProviderAnswerInvalid, "what it answers cannot be read", exception);
        }
        return context.IsRejected ? throw ProviderFaults.Explain(context.ErrorUri, context.ErrorDescription, conversation) : context;
    }

    /// <summary>What was asked for, as OpenIddict would have kept it in a state token.</summary>
    private ClaimsPrincipal Asked(DiscoveredProvider provider, BrowserBinding binding) => new ClaimsPrincipal(new ClaimsIdentity("state"))
        .SetClaim(Claims.RequestForgeryProtection, binding.Hash)
        .SetClaim(Claims.Private.RegistrationId, provider.Registration.RegistrationId)
        .SetClaim(Claims.Private.EndpointType, nameof(OpenIddictClientEndpointType.Redirection))
        .SetClaim(Claims.Private.GrantType, GrantTypes.AuthorizationCode)
        .SetClaim(Claims.Private.ResponseType, ResponseTypes.Code)
        .SetClaim(Claims.Private.RedirectUri, configuration.PublicUrl + provider.Setting.CallbackPath)
        .SetClaim(Claims.Private.Nonce, binding.Nonce)
        .SetClaim(Claims.Private.CodeVerifier, binding.CodeVerifier)
        .SetClaims(Claims.Private.Scope, [.. provider.Setting.Scopes]);

    private void Check(ClaimsPrincipal token, ProviderSetting provider)
    {
        if (token.GetClaim(Claims.Issuer) != provider.Issuer)
            throw new ProviderException(Reason.ProviderIssuerMismatch, "the id_token is of another issuer");
        if (token.GetClaims(Claims.Audience).Length > 1 && token.GetClaim(Claims.AuthorizedParty) != provider.ClientId)
            throw new ProviderException(Reason.ProviderAudienceMismatch, "the id_token is for several clients and does not say which may use it");
        var now = time.GetUtcNow();
        if (Seconds(token, Claims.ExpiresAt) is not { } expires || expires <= (now - s_skew).ToUnixTimeSeconds())
            throw new ProviderException(Reason.ProviderTokenExpired, "the id_token has expired: compare both clocks");
        if (Seconds(token, Claims.IssuedAt) is not { } issued || issued > (now + s_skew).ToUnixTimeSeconds())
            throw new ProviderException(Reason.ProviderTokenFromFuture, "the id_token is from the future: compare both clocks");
        if (token.GetClaim(Claims.Subject) is not { Length: > 0 and <= Limits.ProviderSubjectLength } subject || !subject.All(char.IsAscii))
            throw new ProviderException(Reason.ProviderSubjectInvalid, $"a sub has 1 to {Limits.ProviderSubjectLength} ASCII characters");
    }

    private static long? Seconds(ClaimsPrincipal token, string claim) =>
        long.TryParse(token.GetClaim(claim), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) ? seconds : null;

    /// <summary>An address and what is said about it come from one place: from the id_token, or from userinfo where that has none.</summary>
    private static ProviderUser Read(ClaimsPrincipal token, ClaimsPrincipal? userInfo, ProviderSetting provider)
    {
        var aboutEmail = token.HasClaim(Claims.Email) ? token : userInfo;
        var email = aboutEmail?.GetClaim(Claims.Email) is { Length: > 0 and <= Limits.EmailLength } text ? text : null;
        var isVerified = aboutEmail?.FindFirst(Claims.EmailVerified) is { ValueType: ClaimValueTypes.Boolean, Value: var value } && bool.Parse(value);
        var aboutGroups = token.HasClaim(provider.GroupClaim) ? token : userInfo;
        var name = (isVerified ? email : null) ?? First(Claims.PreferredUsername) ?? First(Claims.Name) ?? token.GetClaim(Claims.Subject)!;
        return new(token.GetClaim(Claims.Subject)!, Shown(name), email, isVerified, [.. aboutGroups?.GetClaims(provider.GroupClaim) ?? []]);

        string? First(string claim) => (token.GetClaim(claim) ?? userInfo?.GetClaim(claim)) is { Length: > 0 } found ? found : null;
    }

    /// <summary>As a person may be shown it: no control or formatting characters, and not without end.</summary>
    private static string Shown(string name)
    {
        var visible = string.Concat(name.EnumerateRunes()
            .Where(rune => System.Text.Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator))
            .Take(Limits.DisplayNameLength));
        return visible.Length > 0 ? visible : "?";
    }
}
