using System.Net;
using Sallyport.EndToEnd.Support;

namespace Sallyport.EndToEnd;

/// <summary>A moment in the life of a load, at which something may be done to the gate.</summary>
internal enum Moment
{
    /// <summary>A request was sent.</summary>
    Asked,

    /// <summary>An answer has come.</summary>
    Answered,

    /// <summary>A call has reached the upstream.</summary>
    Reached,
}

/// <summary>What a client knows of one consent's code and tokens.</summary>
internal sealed class HeldGrant
{
    public required string Code { get; init; }
    public List<string> AccessTokens { get; } = [];
    /// <summary>Null until the code's exchange was answered.</summary>
    public string? RefreshToken { get; set; }
    public bool RedemptionAsked { get; set; }
    public bool RevocationAsked { get; set; }
    public bool IsRevoked { get; set; }
}

/// <summary>
/// Clients that register, sign in, exchange, refresh, revoke and call all at once until the gate is gone, and what they were
/// answered, to be held against the next gate.
/// </summary>
internal sealed class Load : IDisposable
{
    private const string UserName = "alice";
    private const string Password = "correct horse battery staple";
    private const int Workers = 3;
    private const int CallersOfEach = 2;

    private readonly string _name;
    private readonly string _origin;
    private readonly NotingUpstream _upstream;
    private readonly List<(GateClient Client, HeldGrant Grant)> _grants = [];
    private readonly List<GateClient> _clients = [];
    private readonly List<string> _answeredEvents = [];
    private readonly TaskCompletionSource _due = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Moment _awaited;
    private int _left;
    private int _calls;

    /// <param name="name">Begins the names of the tools that this load calls.</param>
    /// <param name="gate">Where <see cref="AddUserAsync"/> added the user.</param>
    /// <param name="upstream">Stands behind the gate.</param>
    public Load(string name, GateProcess gate, NotingUpstream upstream)
    {
        (_name, _origin, _upstream) = (name, gate.Origin, upstream);
        upstream.Reached += OnReached;
    }

    /// <summary>The ids of events that answers named.</summary>
    public IReadOnlyList<string> AnsweredEvents
    {
        get
        {
            lock (_answeredEvents)
                return [.. _answeredEvents];
        }
    }

    public IReadOnlyList<HeldGrant> Grants
    {
        get
        {
            lock (_grants)
                return [.. _grants.Select(held => held.Grant)];
        }
    }

    public static Task AddUserAsync(DataFolder data) => Executable.AddUserAsync(data, UserName, Password);

    /// <summary>Works until the moment has come <paramref name="times"/> times, does this to the gate, and sees every client cut off.</summary>
    public async Task RunAsync(Moment moment, int times, Func<Task> end)
    {
        (_awaited, _left) = (moment, times);
        var work = Enumerable.Range(0, Workers).Select(_ => Task.Run(WorkAsync)).ToList();
        await Task.WhenAny([_due.Task, .. work]);
        await end();
        await Task.WhenAll(work);
        Assert.True(_due.Task.IsCompleted, "The clients were cut off before it was time");
    }

    /// <summary>
    /// Everything that was answered is in force at the gate that runs now; what was asked for and not answered has happened or has
    /// not, but not by half.
    /// </summary>
    public async Task AssertInForceAsync()
    {
        foreach (var (client, grant) in _grants)
        {
            if (grant.RefreshToken is null)
            {
                using var redeemed = await client.RedeemAsync(grant.Code);
                if (!grant.RedemptionAsked || redeemed.StatusCode == HttpStatusCode.OK)
                    Assert.Equal(HttpStatusCode.OK, await CallAsync(client, (await GateClient.ReadTokensAsync(redeemed)).AccessToken));
                else
                    Assert.Equal("invalid_grant", await GateClient.ReadErrorAsync(redeemed));
                continue;
            }

            var statuses = new List<HttpStatusCode>();
            foreach (var token in grant.AccessTokens)
                statuses.Add(await CallAsync(client, token));
            using var refreshed = await client.RefreshAsync(grant.RefreshToken);
            if (grant.IsRevoked || (grant.RevocationAsked && statuses[0] != HttpStatusCode.OK))
            {
                Assert.All(statuses, status => Assert.Equal(HttpStatusCode.Unauthorized, status));
                Assert.Equal("invalid_grant", await GateClient.ReadErrorAsync(refreshed));
                continue;
            }
            Assert.All(statuses, status => Assert.Equal(HttpStatusCode.OK, status));
            Assert.Equal(HttpStatusCode.OK, await CallAsync(client, (await GateClient.ReadTokensAsync(refreshed)).AccessToken));
        }
    }

    public void Dispose()
    {
        _upstream.Reached -= OnReached;
        _clients.ForEach(client => client.Dispose());
    }

    private void OnReached() => Note(Moment.Reached);

    private async Task WorkAsync()
    {
        try
        {
            var client = await DoAsync(() => GateClient.RegisterAsync(_origin, _answeredEvents));
            lock (_clients)
                _clients.Add(client);
            for (var number = 0; ; number++)
            {
                var grant = new HeldGrant { Code = (await DoAsync(() => client.AuthorizeAsync(UserName, Password)))! };
                lock (_grants)
                    _grants.Add((client, grant));
                grant.RedemptionAsked = true;
                await HoldAsync(client, grant, () => client.RedeemAsync(grant.Code));
                for (var refreshes = 0; refreshes < 2; refreshes++)
                {
                    await Task.WhenAll(Enumerable.Range(0, CallersOfEach).Select(_ => CallOftenAsync(client, grant.AccessTokens[^1])));
                    await HoldAsync(client, grant, () => client.RefreshAsync(grant.RefreshToken!));
                }
                if (number % 2 == 0)
                    continue;
                grant.RevocationAsked = true;
                using var revoked = await DoAsync(() => client.RevokeAsync(grant.RefreshToken!));
                Assert.Equal(HttpStatusCode.OK, revoked.StatusCode);
                grant.IsRevoked = true;
            }
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            // The gate is gone.
        }
    }

    private async Task HoldAsync(GateClient client, HeldGrant grant, Func<Task<HttpResponseMessage>> ask)
    {
        using var response = await DoAsync(ask);
        var tokens = await GateClient.ReadTokensAsync(response);
        grant.AccessTokens.Add(tokens.AccessToken);
        grant.RefreshToken = tokens.RefreshToken;
    }

    private async Task CallOftenAsync(GateClient client, string accessToken)
    {
        for (var i = 0; i < 10; i++)
            Assert.Equal(HttpStatusCode.OK, await DoAsync(() => CallAsync(client, accessToken)));
    }

    /// <summary>Calls a tool that was never called before.</summary>
    private async Task<HttpStatusCode> CallAsync(GateClient client, string accessToken)
    {
        using var response = await client.CallAsync(accessToken, $"{_name}-{Interlocked.Increment(ref _calls)}");
        return response.StatusCode;
    }

    private async Task<T> DoAsync<T>(Func<Task<T>> act)
    {
        var asked = act();
        Note(Moment.Asked);
        var answer = await asked;
        Note(Moment.Answered);
        return answer;
    }

    private void Note(Moment moment)
    {
        if (moment == _awaited && Interlocked.Decrement(ref _left) == 0)
            _due.TrySetResult();
    }
}
