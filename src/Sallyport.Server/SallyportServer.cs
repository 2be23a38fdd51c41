using System.Diagnostics;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Identity;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Sallyport.Server.Admin;
using Sallyport.Server.Audit;
using Sallyport.Server.Audit.Anchors;
using Sallyport.Server.Audit.Index;
using Sallyport.Server.Audit.Values;
using Sallyport.Server.Authorization.Account;
using Sallyport.Server.Authorization.Authorize;
using Sallyport.Server.Authorization.Callback;
using Sallyport.Server.Authorization.Consent;
using Sallyport.Server.Authorization.Enrol;
using Sallyport.Server.Authorization.Introspect;
using Sallyport.Server.Authorization.Keys;
using Sallyport.Server.Authorization.Metadata;
using Sallyport.Server.Authorization.Register;
using Sallyport.Server.Authorization.Revoke;
using Sallyport.Server.Authorization.SignIn;
using Sallyport.Server.Authorization.Token;
using Sallyport.Server.Configuration;
using Sallyport.Server.Findings;
using Sallyport.Server.Gateway;
using Sallyport.Server.Gateway.Bridge;
using Sallyport.Server.Gateway.Guard;
using Sallyport.Server.Gateway.Home;
using Sallyport.Server.Gateway.Transports;
using Sallyport.Server.Gateway.Upstreams;
using Sallyport.Server.Gateway.Upstreams.Processes;
using Sallyport.Server.Heartbeat;
using Sallyport.Server.Operation;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Pipeline.Providers;
using Sallyport.Server.Protocol;
using Sallyport.Server.Storage;
using Sallyport.Server.Telemetry;
using Sallyport.Server.Witness;

namespace Sallyport.Server;

/// <summary>The gate: what it is made of, and every slice in order. Read this first.</summary>
internal static class SallyportServer
{
    /// <summary>PBKDF2-HMAC-SHA-512 (OWASP Password Storage Cheat Sheet).</summary>
    private const int PasswordIterations = 210_000;

    /// <summary>The stored state and the log, without anything that serves: all that an operator's command needs.</summary>
    public static IServiceCollection AddSallyportState(this IServiceCollection services, DataDirectory directory, Tenure tenure)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(new JournalOptions());
        services.AddSingleton(directory);
        services.AddSingleton(tenure);
        services.TryAddSingleton(SealOptions.Default);
        services.AddSingleton<TokenKeyFile>();
        services.AddSingleton(provider => provider.GetRequiredService<TokenKeyFile>().Open(provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<AuditLog>();
        services.AddSingleton<Sealer>();
        services.AddSingleton<OwnReport>();
        services.TryAddSingleton(new ValueLimits());
        services.AddSingleton<ErasableValues>();
        services.AddPooledDbContextFactory<SallyportDb>(options => SqliteDatabase.Configure(options, directory.Database));
        services.AddSingleton<StateConnection>();
        services.AddSingleton<PlainChanges>();
        services.AddSingleton<ReadConnections>();
        services.AddSingleton<ClientReader>();
        services.AddSingleton<TokenStore>();
        services.AddSingleton<StateSequencer>();
        services.AddSingleton<Outbox>();
        services.AddScoped<Requester>();
        services.AddScoped<StateTransaction>();
        services.AddScoped<Accounts>();
        services.AddScoped<ClientStore>();
        services.AddScoped<GrantStore>();
        services.AddScoped<HeartbeatStore>();
        services.AddScoped<ProviderSignIns>();
        services.AddScoped<WitnessStore>();
        services.AddSingleton<OperatorActs>();
        services.AddSingleton<UserActs>();
        services.AddSingleton<ClientActs>();
        services.AddSingleton<GrantActs>();
        services.AddIdentityCore<User>().AddEntityFrameworkStores<SallyportDb>();
        // Identity's own validator has rules of composition and refuses blanks; Accounts has the one rule that there is.
        services.RemoveAll<IPasswordValidator<User>>();
        services.Configure<PasswordHasherOptions>(options => options.IterationCount = PasswordIterations);
        // First to start and last to stop: whatever else runs, runs while the log is open.
        services.AddHostedService<GateState>();
        return services;
    }

    /// <summary>Everything that serves.</summary>
    public static IServiceCollection AddSallyport(this IServiceCollection services, GateConfiguration configuration)
    {
        var directory = new DataDirectory(configuration.DataDirectory);
        services.TryAddSingleton(new JournalOptions { Strict = configuration.Strict });
        services.TryAddSingleton(new SealOptions(configuration.CheckpointInterval));
        AddAnchors(services, configuration);
        services.AddSallyportState(directory, new("serve", Product.Version, configuration.Fingerprint));
        services.AddSingleton(configuration);
        services.AddSingleton<AccessTokenFormat>();
        services.AddSingleton(provider => new JwtFormat(configuration.PublicUrl, provider.GetRequiredService<TokenKeys>()));
        services.AddSingleton(provider => new AccessTokens(
            provider.GetRequiredService<AccessTokenFormat>(),
            configuration.Upstreams.Any(upstream => upstream.AccessTokens == AccessTokenKind.Jwt) ? provider.GetRequiredService<JwtFormat>() : null));
        services.AddSingleton<GraceWindows>();
        services.AddHostedService(provider => provider.GetRequiredService<GraceWindows>());
        services.AddSingleton<UnconfirmedClients>();
        services.AddHostedService(provider => provider.GetRequiredService<UnconfirmedClients>());
        services.AddSingleton<Snapshots>();
        services.AddSingleton<LogKeeper>();
        services.AddHostedService(provider => provider.GetRequiredService<LogKeeper>());
        services.AddHostedService<EventIndexer>();
        services.AddSingleton<OutcomeCollector>();
        services.AddHostedService(provider => provider.GetRequiredService<OutcomeCollector>());

        // What is measured, and who sees it
        Export.Add(services, configuration);
        if (configuration.AdminUrls.Count > 0)
            AdminMiddleware.Add(services);

        // The pipeline
        services.AddSingleton<DistributedContextPropagator, CallersTrace>();
        services.AddDataProtection().SetApplicationName("Sallyport");
        services.Configure<KeyManagementOptions>(options => options.XmlRepository = new KeyRing(directory.Keys));
        services.AddAntiforgery(options =>
        {
            options.FormFieldName = PageForm.TokenField;
            options.SuppressXFrameOptionsHeader = true;
            SetCookie(options.Cookie, "sallyport-form", configuration);
        });
        services.AddAuthentication(BrowserSession.Scheme).AddCookie(BrowserSession.Scheme, options =>
        {
            SetCookie(options.Cookie, "sallyport-session", configuration);
            options.ExpireTimeSpan = configuration.SignInLifetime;
            options.SlidingExpiration = false;
            options.Events = new CookieAuthenticationEvents { OnValidatePrincipal = BrowserSession.ValidateAsync };
        });
        services.AddRazorComponents();
        services.AddSingleton<RequestSource>();
        services.AddSingleton<Attribution>();
        services.AddSingleton<RateCounters>();
        services.AddSingleton<PasswordTurns>();
        services.AddSingleton<RequestLimits>();
        services.AddSingleton<LimitedRequests>();
        services.AddHostedService(provider => provider.GetRequiredService<LimitedRequests>());
        services.AddSingleton<AdmittedRedirects>();
        services.AddSingleton<ClientAuthentication>();
        services.AddSingleton<OwnRequests>();
        services.AddSingleton<PageForm>();
        services.AddSingleton<TransactionSeal>();
        services.AddSingleton<AuthorizationResponse>();
        IdentityProviders.Add(services, configuration);

        // The authorization server
        MetadataEndpoint.Add(services);
        RegisterEndpoint.Add(services);
        AuthorizeEndpoint.Add(services);
        SignInEndpoint.Add(services);
        CallbackEndpoint.Add(services);
        EnrolEndpoint.Add(services);
        ConsentEndpoint.Add(services);
        AccountEndpoint.Add(services);
        TokenEndpoint.Add(services);
        RevokeEndpoint.Add(services);
        IntrospectEndpoint.Add(services);
        JwksEndpoint.Add(services);

        // The gateway
        services.AddSingleton<AdmittedHosts>();
        services.AddSingleton<AdmittedOrigins>();
        services.AddSingleton<TokenMemory>();
        services.AddSingleton<AccessRecord>();
        services.AddSingleton<OwnAnswers>();
        services.AddSingleton<StreamLifetime>();
        services.AddSingleton<BuiltInServer>();
        services.AddSingleton<GateActs>();
        services.AddSingleton(provider => new CallerAssertions(configuration.PublicUrl, provider.GetRequiredService<TokenKeys>, provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<UpstreamList>();
        services.AddHostedService<ProcessStart>();
        services.TryAddSingleton(new SessionLimits());
        services.AddSingleton<Sessions>();
        GatewayGauges.Add(services);
        services.AddHostedService(provider => provider.GetRequiredService<Sessions>());
        McpEndpoint.Add(services);
        SseEndpoint.Add(services);
        HomeEndpoint.Add(services);

        // The gate's own requests
        if (configuration.HeartbeatInterval > TimeSpan.Zero)
            HeartbeatService.Add(services);

        // What the gate notices about its own log
        FindingsService.Add(services, configuration);

        // A witness for other logs
        if (configuration.WitnessFor.Count > 0)
            WitnessEndpoint.Add(services);
        return services;
    }

    /// <summary>Where checkpoints are kept out of reach.</summary>
    private static void AddAnchors(IServiceCollection services, GateConfiguration configuration)
    {
        foreach (var path in configuration.Anchors)
            services.AddSingleton<IAnchor>(new FileAnchor(path));
        foreach (var witness in configuration.Witnesses)
            services.AddSingleton<IAnchor>(_ => new WitnessAnchor(witness.Key, witness.Address, new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false })));
    }

    /// <summary>The order in which a request goes through, then the routes. There is no way to an endpoint but through the guard.</summary>
    public static void MapSallyport(this WebApplication application, GateConfiguration configuration)
    {
        // WebApplication would put cookie authentication in front of everything, on every request. Only pages read the cookie, by
        // themselves; nothing may run before the guard.
        ((IApplicationBuilder)application).Properties["__AuthenticationMiddlewareSet"] = true;
        ((IApplicationBuilder)application).Properties["__AuthorizationMiddlewareSet"] = true;

        if (configuration.IsObserved)
        {
            Export.Begin(application.Services);
            application.Services.GetRequiredService<GatewayGauges>();
        }
        AdminMiddleware.Map(application, configuration);

        application.UseMiddleware<FaultMiddleware>();
        application.UseRouting();
        application.UseMiddleware<GuardMiddleware>();

        MetadataEndpoint.Map(application, configuration);
        RegisterEndpoint.Map(application);
        AuthorizeEndpoint.Map(application);
        SignInEndpoint.Map(application);
        CallbackEndpoint.Map(application, configuration);
        EnrolEndpoint.Map(application);
        ConsentEndpoint.Map(application);
        AccountEndpoint.Map(application);
        TokenEndpoint.Map(application);
        RevokeEndpoint.Map(application);
        IntrospectEndpoint.Map(application);
        JwksEndpoint.Map(application);

        foreach (var upstream in configuration.Upstreams)
        {
            McpEndpoint.Map(application, upstream);
            SseEndpoint.Map(application, upstream);
        }
        HomeEndpoint.Map(application, configuration);
        if (configuration.WitnessFor.Count > 0)
            WitnessEndpoint.Map(application);
        application.MapGatePath("/healthz", PathPolicy.Page).On<AuditLog>(HttpMethods.Get, static (_, context) => context.Response.WriteAsync("ok"));
    }

    /// <summary>The limits of the HTTP server itself.</summary>
    public static void ConfigureKestrel(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestLineSize = Limits.RequestLineBytes;
        kestrel.Limits.MaxRequestHeadersTotalSize = Limits.RequestHeadersBytes;
        kestrel.Limits.MaxRequestBodySize = Limits.MessageBytes;
    }

    /// <summary>Host-bound and Secure whenever the public URL is https; on an http loopback URL browsers would not keep such a cookie.</summary>
    private static void SetCookie(CookieBuilder cookie, string name, GateConfiguration configuration)
    {
        cookie.Name = configuration.IsHttps ? "__Host-" + name : name;
        cookie.SecurePolicy = configuration.IsHttps ? CookieSecurePolicy.Always : CookieSecurePolicy.None;
        cookie.HttpOnly = true;
        cookie.SameSite = SameSiteMode.Lax;
        cookie.Path = "/";
    }
}
