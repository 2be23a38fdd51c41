using Microsoft.AspNetCore.Http;
using Sallyport.Proof.Events;
using Sallyport.Server.Configuration;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Pipeline;

/// <summary>There were too many of these. <see cref="FaultMiddleware"/> answers 429, and has it recorded.</summary>
internal sealed class RequestLimitedException(Reason reason, TimeSpan retryAfter, string? client = null) : Exception(reason.Word())
{
    public Reason Reason { get; } = reason;
    public TimeSpan RetryAfter { get; } = retryAfter;
    public string? Client { get; } = client;
}

/// <summary>
/// How often anybody may do what costs us something, or what is a guess: per source, client and account (docs/decisions/0029). Where the
/// source is unknown, all share one that is ten times as large.
/// </summary>
/// <remarks>
/// An account is limited for each source by itself, so that nobody can lock others out. Guesses are counted when they have failed: who
/// gives the right password or secret is never in the way of themselves.
/// </remarks>
internal sealed class RequestLimits(GateConfiguration configuration, RequestSource source, RateCounters counters, PasswordTurns passwords)
{
    private const int SharedFactor = 10;

    /// <summary>For whoever finds too many waiting.</summary>
    private static readonly TimeSpan s_crowded = TimeSpan.FromSeconds(10);

    /// <summary>Takes room for a registration. False when there is none, which may not be the end: <see cref="DemandLiveClient"/>.</summary>
    public RequestLimitedException? TakeRegistration(HttpContext context)
    {
        var (key, factor, reason) = Source(context);
        return Limited(reason, counters.Take($"register {key}", factor * configuration.RegistrationsPerMinute));
    }

    /// <summary>Room that a flood of registrations cannot take: that of a client whose users have allowed it something.</summary>
    /// <exception cref="RequestLimitedException">It has used that up too.</exception>
    public void DemandLiveClient(string client) =>
        Throw(Limited(Reason.LimitClient, counters.Take($"live {client}", configuration.RegistrationsPerMinute), client));

    /// <summary>Waits until a password may be looked at. What is returned is disposed of when that is done, and a failure counted.</summary>
    /// <exception cref="RequestLimitedException">Too many have failed, or wait.</exception>
    public async Task<IDisposable> DemandSignInAsync(HttpContext context, string account)
    {
        var (key, factor, reason) = Source(context);
        Throw(TooManyFailures());
        var turn = await passwords.WaitAsync(key, context.RequestAborted) ?? throw new RequestLimitedException(reason, s_crowded);
        // Those before may have been guesses.
        if (TooManyFailures() is not { } limited)
            return turn;
        turn.Dispose();
        throw limited;

        RequestLimitedException? TooManyFailures() =>
            Limited(Reason.LimitAccount, counters.WaitFor(AccountKey(key, account), Limits.FailedSignInsPerAccount))
            ?? Limited(reason, counters.WaitFor($"signin {key}", factor * configuration.SignInsPerMinute));
    }

    public void SignInFailed(HttpContext context, string account)
    {
        var (key, factor, _) = Source(context);
        counters.Take(AccountKey(key, account), Limits.FailedSignInsPerAccount);
        counters.Take($"signin {key}", factor * configuration.SignInsPerMinute);
    }

    /// <summary>Before a browser is sent to an identity provider, which is remembered for a while.</summary>
    /// <exception cref="RequestLimitedException">Too many were sent.</exception>
    public void DemandProviderSignIn(HttpContext context)
    {
        var (key, factor, reason) = Source(context);
        Throw(Limited(reason, counters.Take($"provider {key}", factor * configuration.SignInsPerMinute)));
    }

    /// <summary>Before a client's secret is looked at.</summary>
    /// <exception cref="RequestLimitedException">Too many have been wrong.</exception>
    public void DemandSecret(HttpContext context, string client) =>
        Throw(Limited(Reason.LimitClient, counters.WaitFor($"secret {Source(context).Key} {client}", Limits.WrongSecretsPerClient), client));

    public void SecretWrong(HttpContext context, string client) =>
        counters.Take($"secret {Source(context).Key} {client}", Limits.WrongSecretsPerClient);

    /// <summary>Before a client that asks about tokens is told anything.</summary>
    /// <exception cref="RequestLimitedException">It has asked about too many that are not good.</exception>
    public void DemandIntrospection(string client) =>
        Throw(Limited(Reason.LimitClient, counters.WaitFor($"introspect {client}", Limits.UnknownTokensPerClient), client));

    public void IntrospectedInVain(string client) => counters.Take($"introspect {client}", Limits.UnknownTokensPerClient);

    /// <summary>Whether a refusal of somebody unknown gets an event of its own.</summary>
    public bool HasRoomForRefusal(HttpContext context)
    {
        var (key, factor, _) = Source(context);
        return counters.Take($"refused {key}", factor * Limits.RefusalsPerSource) is null;
    }

    private (string Key, int Factor, Reason Reason) Source(HttpContext context) => source.Of(context) is { } address
        ? (Attribution.Text(address), 1, Reason.LimitSource)
        : ("", SharedFactor, Reason.LimitTotal);

    /// <summary>By hash: as long as any other, and no name in memory. Names are compared without regard to case.</summary>
    private static string AccountKey(string source, string account) => $"account {source} {OpaqueSecret.Hash(account.ToUpperInvariant())}";

    private static RequestLimitedException? Limited(Reason reason, TimeSpan? wait, string? client = null) =>
        wait is { } retryAfter ? new(reason, retryAfter, client) : null;

    private static void Throw(RequestLimitedException? limited)
    {
        if (limited is not null)
            throw limited;
    }
}
