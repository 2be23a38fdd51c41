using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Http;
using Microsoft.IdentityModel.Tokens;
using OpenIddict.Abstractions;
using OpenIddict.Client;
using Sallyport.Proof.Events;
using Sallyport.Server.Configuration;
using Sallyport.Server.Protocol;
using static OpenIddict.Client.OpenIddictClientEvents;
using static OpenIddict.Client.OpenIddictClientHandlers;

namespace Sallyport.Server.Pipeline.Providers;

/// <summary>A provider with its discovery document.</summary>
internal sealed record DiscoveredProvider(ProviderSetting Setting, OpenIddictClientRegistration Registration, OpenIddictConfiguration Configuration);

/// <summary>The identity providers that users may sign in by, on <c>OpenIddict.Client</c>. See decision 0027.</summary>
internal sealed class IdentityProviders(GateConfiguration configuration, IServiceProvider services)
{
    private const int KeyBytes = 32;

    /// <summary>Signatures that only the provider can make: no <c>none</c>, and none with a secret that we share (RFC 8725 §3.1, §3.2).</summary>
    private static readonly string[] s_algorithms =
        ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"];

    public static void Add(IServiceCollection services, GateConfiguration configuration)
    {
        services.AddSingleton<IdentityProviders>();
        if (configuration.Providers.Count == 0)
            return;
        services.AddOpenIddict().AddClient(client =>
        {
            client.AllowAuthorizationCodeFlow();
            client.DisableTokenStorage();
            // State tokens of its own, which these are for, are never made: our state is a row.
            client.AddEncryptionKey(new SymmetricSecurityKey(System.Security.Cryptography.RandomNumberGenerator.GetBytes(KeyBytes)));
            client.AddSigningKey(new SymmetricSecurityKey(System.Security.Cryptography.RandomNumberGenerator.GetBytes(KeyBytes)));
            client.RemoveEventHandler(ValidateStateToken.Descriptor);
            client.AddEventHandler<HandleConfigurationResponseContext>(handler => handler
                .UseInlineHandler(ValidateIssuerText)
                .SetOrder(Discovery.ValidateIssuer.Descriptor.Order + 500));
            client.UseSystemNetHttp()
                .ConfigureHttpClientHandler(handler => handler.AllowAutoRedirect = false);
            // It would ask again and again, while somebody waits.
            client.Services.Configure<OpenIddict.Client.SystemNetHttp.OpenIddictClientSystemNetHttpOptions>(http => http.HttpResiliencePipeline = null);
            foreach (var provider in configuration.Providers)
                client.AddRegistration(Registration(provider, configuration));
        });
        services.AddOptions();
        services.ConfigureAll<HttpClientFactoryOptions>(options => options.HttpMessageHandlerBuilderActions.Add(
            static builder => builder.AdditionalHandlers.Add(new BackChannel(builder.Services.GetRequiredService<TimeProvider>()))));
    }

    public IReadOnlyList<ProviderSetting> All => configuration.Providers;

    /// <summary>Its discovery document, asked for when it is needed first, and again after a while.</summary>
    /// <exception cref="ProviderException">There is none that can be relied on.</exception>
    public async Task<DiscoveredProvider> DiscoverAsync(ProviderSetting provider, CancellationToken cancellationToken)
    {
        var conversation = BackChannel.With(provider);
        var registration = await services.GetRequiredService<OpenIddictClientService>().GetClientRegistrationByIdAsync(provider.Name, cancellationToken);
        try
        {
            var found = await registration.ConfigurationManager!.GetConfigurationAsync(cancellationToken).WaitAsync(cancellationToken);
            var issuer = new Uri(provider.Issuer);
            var endpoints = new[] { found.AuthorizationEndpoint, found.TokenEndpoint, found.UserInfoEndpoint, found.JsonWebKeySetUri };
            if (endpoints.Any(endpoint => endpoint is not null && !BackChannel.Admits(issuer, endpoint)))
                throw new ProviderException(Reason.ProviderEndpointRefused, "its discovery document names an endpoint that must not be asked");
            if (found.AuthorizationEndpoint is null || found.TokenEndpoint is null)
                throw new ProviderException(Reason.ProviderAnswerInvalid, "its discovery document lacks an endpoint");
            return new(provider, registration, found);
        }
        catch (Exception exception) when (exception is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            throw Explain(exception, conversation);
        }
    }

    private static ProviderException Explain(Exception exception, BackChannel.Conversation conversation)
    {
        for (var cause = exception; cause is not null; cause = cause.InnerException)
        {
            if (cause is ProviderException known)
                return known;
            if (cause is OpenIddictExceptions.ProtocolException { ErrorUri: var uri, ErrorDescription: var description })
                return ProviderFaults.Explain(uri, description, conversation);
        }
        return conversation.Fault ?? new(Reason.ProviderAnswerInvalid, "its discovery document or its keys cannot be read", exception);
    }

    /// <summary>OpenIddict compares issuers as addresses, where a slash or a letter's case may make no difference. Here it does (RFC 9207 §2.4).</summary>
    private static ValueTask ValidateIssuerText(HandleConfigurationResponseContext context)
    {
        if ((string?)context.Response["issuer"] != context.Registration.Issuer!.OriginalString)
            context.Reject(OpenIddictConstants.Errors.ServerError, uri: ProviderFaults.IssuerMismatch);
        return default;
    }

    private static OpenIddictClientRegistration Registration(ProviderSetting provider, GateConfiguration configuration)
    {
        var registration = new OpenIddictClientRegistration
        {
            RegistrationId = provider.Name,
            Issuer = new(provider.Issuer),
            ClientId = provider.ClientId,
            ClientSecret = provider.ClientSecret,
            RedirectUri = new(configuration.PublicUrl + provider.CallbackPath),
        };
        registration.Scopes.UnionWith(provider.Scopes);
        registration.TokenValidationParameters.ValidAlgorithms = s_algorithms;
        return registration;
    }
}
