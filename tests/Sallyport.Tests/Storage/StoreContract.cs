using System.Data.Common;
using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.Time.Testing;
using Sallyport.Server;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;
using Sallyport.Server.Storage;

namespace Sallyport.Tests.Storage;

/// <summary>What every engine has to keep: atomicity, what may happen once, and order. One class an engine derives from it.</summary>
public abstract class StoreContract : IAsyncLifetime
{
    private readonly FakeTimeProvider _time = new(TimeProvider.System.GetUtcNow());
    private readonly string _data = Directory.CreateTempSubdirectory("sallyport-test-").FullName;
    private ServiceProvider _services = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private protected abstract void AddEngine(IServiceCollection services, DataDirectory directory);

    public async ValueTask InitializeAsync()
    {
        var directory = new DataDirectory(_data);
        var services = new ServiceCollection().AddLogging().AddSingleton<TimeProvider>(_time);
        services.AddSallyportState(directory, new Tenure("test", "0", null));
        services.Configure<PasswordHasherOptions>(hasher => hasher.IterationCount = 1_000);
        AddEngine(services, directory);
        _services = services.BuildServiceProvider();
        await State.StartAsync(Cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        await State.StopAsync(CancellationToken.None);
        await _services.DisposeAsync();
        Directory.Delete(_data, recursive: true);
    }

    private GateState State => _services.GetServices<Microsoft.Extensions.Hosting.IHostedService>().OfType<GateState>().Single();

    [Fact]
    public async Task A_change_and_its_event_are_there_together()
    {
        await AddClientAsync("a");

        Assert.NotNull(await InScopeAsync(s => s.GetRequiredService<ClientStore>().FindAsync("a", Cancellation)));
        Assert.Equal("a", Assert.Single(Events<ClientRegistered>()).Client);
    }

    [Fact]
    public async Task A_change_that_fails_leaves_neither_a_row_nor_an_event()
    {
        await Assert.ThrowsAsync<InvalidOperationException>(() => InScopeAsync<bool>(async services =>
        {
            var state = services.GetRequiredService<StateTransaction>();
            return await state.RunAsync<bool>(async () =>
            {
                await services.GetRequiredService<ClientStore>().AddAsync(NewClient("a"), Cancellation);
                state.Record(new ClientRegistered { Id = AuditLog.NewId(), Client = "a", AuthMethod = "none", RedirectUris = [] });
                throw new InvalidOperationException("half-way");
            }, Cancellation);
        }));

        Assert.Null(await InScopeAsync(s => s.GetRequiredService<ClientStore>().FindAsync("a", Cancellation)));
        Assert.Empty(Events<ClientRegistered>());
        await AddClientAsync("b");
    }

    [Fact]
    public async Task A_change_that_names_no_event_does_not_happen()
    {
        await InScopeAsync(services => services.GetRequiredService<StateTransaction>().RunAsync(async () =>
        {
            await services.GetRequiredService<ClientStore>().AddAsync(NewClient("a"), Cancellation);
            return true;
        }, Cancellation));

        Assert.Null(await InScopeAsync(s => s.GetRequiredService<ClientStore>().FindAsync("a", Cancellation)));
    }

    [Fact]
    public async Task A_change_in_plain_SQL_that_fails_or_names_no_event_leaves_nothing_behind()
    {
        await AddGrantAsync("g");
        var now = _time.GetUtcNow();

        await Assert.ThrowsAsync<InvalidOperationException>(() => InScopeAsync(services => services.GetRequiredService<StateTransaction>().RunPlainAsync<bool>(() =>
        {
            services.GetRequiredService<TokenStore>().RedeemCode("g", now);
            throw new InvalidOperationException("half-way");
        }, Cancellation)));
        await InScopeAsync(services => services.GetRequiredService<StateTransaction>().RunPlainAsync(
            () => services.GetRequiredService<TokenStore>().RedeemCode("g", now), Cancellation));

        Assert.True(await ChangeTokensAsync(tokens => tokens.RedeemCode("g", now)));
    }

    [Fact]
    public async Task Of_changes_that_go_together_one_that_fails_and_one_that_names_no_event_are_undone_alone()
    {
        await AddGrantAsync("g");
        await AddGrantAsync("h");
        await AddGrantAsync("i");
        var now = _time.GetUtcNow();
        Task<bool> failing, eventless;
        Task<bool>[] others;

        // Whoever holds the turn keeps them waiting, so that they go together.
        using (await _services.GetRequiredService<AuditLog>().TakeStateTurnAsync(Cancellation))
        {
            others = [ChangeTokensAsync(tokens => tokens.RedeemCode("i", now)), ChangeTokensAsync(tokens => tokens.RedeemCode("i", now))];
            failing = InScopeAsync(services => services.GetRequiredService<StateTransaction>().RunPlainAsync<bool>(() =>
            {
                services.GetRequiredService<TokenStore>().RedeemCode("g", now);
                throw new InvalidOperationException("half-way");
            }, Cancellation));
            eventless = InScopeAsync(services => services.GetRequiredService<StateTransaction>().RunPlainAsync(
                () => services.GetRequiredService<TokenStore>().RedeemCode("h", now), Cancellation));
        }

        await Assert.ThrowsAsync<InvalidOperationException>(() => failing);
        Assert.True(await eventless);
        var redeemed = await Task.WhenAll(others);
        Assert.Equal([true, false], redeemed);
        Assert.True(await ChangeTokensAsync(tokens => tokens.RedeemCode("g", now)));
        Assert.True(await ChangeTokensAsync(tokens => tokens.RedeemCode("h", now)));
    }

    [Fact]
    public async Task The_order_of_changes_made_at_once_is_the_order_of_the_log()
    {
        var order = new List<string>();
        await Task.WhenAll(Enumerable.Range(0, 30).Select(i => InScopeAsync(services =>
        {
            var state = services.GetRequiredService<StateTransaction>();
            return state.RunAsync(async () =>
            {
                await services.GetRequiredService<ClientStore>().AddAsync(NewClient($"{i}"), Cancellation);
                order.Add($"{i}");
                state.Record(new ClientRegistered { Id = AuditLog.NewId(), Client = $"{i}", AuthMethod = "none", RedirectUris = [] });
                return true;
            }, Cancellation);
        })));

        Assert.Equal(order, Events<ClientRegistered>().Select(registered => registered.Client));
    }

    [Fact]
    public async Task What_may_happen_once_happens_once()
    {
        await AddGrantAsync("g");
        var now = _time.GetUtcNow();

        Assert.Equal(1, await CountAsync<Func<TokenStore, bool>>(ChangeTokensAsync, tokens => tokens.RedeemCode("g", now)));
        Assert.Equal(1, await CountAsync<Func<TokenStore, bool>>(ChangeTokensAsync, tokens => tokens.UseRefreshToken("g-refresh-hash", [1], now)));
        Assert.Equal(1, await CountAsync<Func<GrantStore, Task<bool>>>(ChangeAsync, grants => grants.RevokeAccessTokenAsync("g-access", now, Cancellation)));
        Assert.Equal(1, await CountAsync<Func<GrantStore, Task<bool>>>(ChangeAsync, grants => grants.RevokeAsync("g", now, Cancellation)));
        await AddGrantAsync("h");
        Assert.Equal(1, await CountAsync<Func<TokenStore, bool>>(ChangeTokensAsync, tokens => tokens.Revoke("h", now)));
        Assert.Equal(1, await CountAsync<Func<GrantStore, Task<bool>>>(ChangeAsync, grants => grants.AddAsync(NewGrant($"again-{AuditLog.NewId()}", transaction: "one transaction"), Cancellation)));
    }

    [Fact]
    public async Task A_token_is_found_with_its_grant_and_times_keep_their_milliseconds()
    {
        await AddGrantAsync("g");

        var access = await InScopeAsync(s => s.GetRequiredService<GrantStore>().FindAccessTokenAsync("g-access", Cancellation));
        var refresh = await InScopeAsync(s => s.GetRequiredService<GrantStore>().FindRefreshTokenAsync("g-refresh-hash", Cancellation));

        Assert.Equal(("g", "g"), (access!.Grant!.Id, refresh!.Grant!.Id));
        Assert.Equal(_time.GetUtcNow().AddHours(1).ToUnixTimeMilliseconds(), access.ExpiresAt.ToUnixTimeMilliseconds());
        Assert.Null(await InScopeAsync(s => s.GetRequiredService<GrantStore>().FindAccessTokenAsync("G-ACCESS", Cancellation)));
    }

    [Fact]
    public async Task Kept_answers_are_dropped_by_the_time_of_their_use()
    {
        await AddGrantAsync("old");
        await AddGrantAsync("new");
        var now = _time.GetUtcNow();
        await ChangeTokensAsync(tokens => tokens.UseRefreshToken("old-refresh-hash", [1], now.AddSeconds(-31)));
        await ChangeTokensAsync(tokens => tokens.UseRefreshToken("new-refresh-hash", [2], now.AddSeconds(-29)));

        await ChangeAsync(async grants =>
        {
            await grants.DropSealedSuccessorsAsync(now.AddSeconds(-30), Cancellation);
            return true;
        });

        Assert.Null((await InScopeAsync(s => s.GetRequiredService<GrantStore>().FindRefreshTokenAsync("old-refresh-hash", Cancellation)))!.SealedSuccessor);
        Assert.Equal([2], (await InScopeAsync(s => s.GetRequiredService<GrantStore>().FindRefreshTokenAsync("new-refresh-hash", Cancellation)))!.SealedSuccessor!);
    }

    [Fact]
    public async Task Names_are_unique_whatever_their_case_and_hostile_text_is_text()
    {
        Assert.Null((await AddUserAsync("alice")).Fault);
        Assert.Equal(Reason.NameTaken, (await AddUserAsync("ALICE")).Fault);
        Assert.Equal(Reason.NameUnsuitable, (await AddUserAsync("a'; DROP TABLE AspNetUsers; --")).Fault);
        Assert.Null(await InScopeAsync(s => s.GetRequiredService<ClientStore>().FindAsync("' OR 1=1 --", Cancellation)));
        await AddClientAsync("c", name: "'); DELETE FROM Clients; -- 🐎");
        Assert.Equal("'); DELETE FROM Clients; -- 🐎", (await InScopeAsync(s => s.GetRequiredService<ClientStore>().FindAsync("c", Cancellation)))!.Name);
    }

    [Theory]
    [InlineData("1234567", Reason.PasswordUnsuitable)]
    [InlineData("12345678", null)]
    [InlineData("        ", null)]
    [InlineData("🐎🐎🐎🐎🐎🐎🐎", Reason.PasswordUnsuitable)]
    [InlineData("🐎🐎🐎🐎🐎🐎🐎🐎", null)]
    public async Task A_password_has_eight_characters_and_no_other_rule(string password, Reason? fault)
    {
        Assert.Equal(fault, (await AddUserAsync("alice", password)).Fault);
        Assert.Equal(fault is null, await InScopeAsync(s => s.GetRequiredService<Accounts>().VerifyAsync("alice", password)) is not null);
    }

    [Fact]
    public async Task A_password_has_at_most_256_characters()
    {
        Assert.Equal(Reason.PasswordUnsuitable, (await AddUserAsync("alice", new string('x', 257))).Fault);
        Assert.Null((await AddUserAsync("alice", new string('x', 256))).Fault);
    }

    [Fact]
    public async Task Swept_rows_are_those_whose_events_are_signed()
    {
        await AddClientAsync("a");
        Assert.Equal(1, await OutboxLengthAsync());

        await _services.GetRequiredService<Outbox>().SweepAsync(Cancellation);
        Assert.Equal(1, await OutboxLengthAsync());
        await _services.GetRequiredService<Sealer>().SealAsync(Cancellation);
        await AddClientAsync("b");
        await _services.GetRequiredService<Outbox>().SweepAsync(Cancellation);

        Assert.Equal(1, await OutboxLengthAsync());
        await _services.GetRequiredService<Outbox>().SweepAsync(Cancellation);
        await _services.GetRequiredService<Sealer>().SealAsync(Cancellation);
        await _services.GetRequiredService<Outbox>().SweepAsync(Cancellation);
        Assert.Equal(0, await OutboxLengthAsync());
        Assert.Equal(["a", "b"], Events<ClientRegistered>().Select(registered => registered.Client));
    }

    private Task<int> OutboxLengthAsync() => InScopeAsync(s => s.GetRequiredService<SallyportDb>().Outbox.CountAsync(Cancellation));

    private Task<(User? User, Reason? Fault)> AddUserAsync(string name, string password = "long enough") => InScopeAsync(services =>
    {
        var state = services.GetRequiredService<StateTransaction>();
        return state.RunAsync(async () =>
        {
            var added = await services.GetRequiredService<Accounts>().AddAsync(name, password, isOperator: false);
            if (added.User is not null)
                state.Record(new OperatorActed { Id = AuditLog.NewId(), Act = OperatorAct.UserAdded, Target = added.User.Id });
            return added;
        }, Cancellation);
    });

    private Task<bool> AddClientAsync(string id, string? name = null) => InScopeAsync(services =>
    {
        var state = services.GetRequiredService<StateTransaction>();
        return state.RunAsync(async () =>
        {
            await services.GetRequiredService<ClientStore>().AddAsync(NewClient(id, name), Cancellation);
            state.Record(new ClientRegistered { Id = AuditLog.NewId(), Client = id, AuthMethod = "none", RedirectUris = [] });
            return true;
        }, Cancellation);
    });

    private async Task AddGrantAsync(string id)
    {
        if (await InScopeAsync(s => s.GetRequiredService<ClientStore>().FindAsync("client", Cancellation)) is null)
            await AddClientAsync("client");
        await ChangeAsync(grants => grants.AddAsync(NewGrant(id, transaction: id), Cancellation));
        await ChangeTokensAsync(tokens =>
        {
            tokens.Add(new AccessToken { Id = $"{id}-access", GrantId = id, Scope = "mcp", ExpiresAt = _time.GetUtcNow().AddHours(1) });
            tokens.Add(new RefreshToken { Id = $"{id}-refresh", Hash = $"{id}-refresh-hash", GrantId = id, ExpiresAt = _time.GetUtcNow().AddDays(1) });
            return true;
        });
    }

    private Task<bool> ChangeAsync(Func<GrantStore, Task<bool>> change) => InScopeAsync(services =>
    {
        var state = services.GetRequiredService<StateTransaction>();
        return state.RunAsync(async () =>
        {
            var changed = await change(services.GetRequiredService<GrantStore>());
            state.Record(new TokenRevoked { Id = AuditLog.NewId(), Reason = Reason.RevokedByClient, Grant = "any" });
            return changed;
        }, Cancellation);
    });

    private Task<bool> ChangeTokensAsync(Func<TokenStore, bool> change) => InScopeAsync(services =>
    {
        var state = services.GetRequiredService<StateTransaction>();
        return state.RunPlainAsync(() =>
        {
            var changed = change(services.GetRequiredService<TokenStore>());
            state.Record(new TokenRevoked { Id = AuditLog.NewId(), Reason = Reason.RevokedByClient, Grant = "any" });
            return changed;
        }, Cancellation);
    });

    /// <summary>How many of twelve attempts at once succeed.</summary>
    private async Task<int> CountAsync<T>(Func<T, Task<bool>> changeAsync, T attempt)
    {
        await AddGrantAsync($"before-{AuditLog.NewId()}");
        var results = await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => changeAsync(attempt)));
        return results.Count(succeeded => succeeded);
    }

    private Client NewClient(string id, string? name = null) =>
        new() { Id = id, Name = name, AuthMethod = "none", RedirectUris = ["https://a.example/cb"], GrantTypes = ["authorization_code"], CreatedAt = _time.GetUtcNow() };

    private Grant NewGrant(string id, string transaction) => new()
    {
        Id = id,
        ClientId = "client",
        Subject = "subject",
        Audience = "audience",
        Scope = "mcp",
        ConsentId = $"{id}-consent",
        TransactionId = transaction,
        CreatedAt = _time.GetUtcNow(),
        CodeId = $"{id}-code",
        CodeHash = $"{id}-code-hash",
        CodeExpiresAt = _time.GetUtcNow().AddMinutes(1),
        RedirectUri = "https://a.example/cb",
        CodeChallenge = "challenge",
    };

    private List<T> Events<T>() where T : AuditEvent =>
        [.. JournalFiles.ReadAll(Path.Combine(_data, "log")).Select(leaf => leaf.Event).OfType<T>()];

    private protected async Task<T> InScopeAsync<T>(Func<IServiceProvider, Task<T>> run)
    {
        await using var scope = _services.CreateAsyncScope();
        return await run(scope.ServiceProvider);
    }
}

/// <summary>The contract on SQLite.</summary>
public sealed class SqliteStoreTests : StoreContract
{
    private readonly QueryPlans _plans = new();

    private protected override void AddEngine(IServiceCollection services, DataDirectory directory) =>
        services.AddDbContextFactory<SallyportDb>(options =>
        {
            SqliteDatabase.Configure(options, directory.Database);
            options.AddInterceptors(_plans);
        });

    [Fact]
    public async Task Whether_a_challenge_was_used_is_found_without_reading_each_grant_of_its_client()
    {
        await InScopeAsync(s => s.GetRequiredService<GrantStore>().HasUsedChallengeAsync("client", "challenge", 1, TestContext.Current.CancellationToken));

        Assert.Contains("(ClientId=? AND CodeChallenge=?)", _plans.Newest);
    }

    [Fact]
    public async Task Kept_answers_are_dropped_without_a_look_at_the_tokens_that_have_none()
    {
        await InScopeAsync(async s =>
        {
            await s.GetRequiredService<GrantStore>().DropSealedSuccessorsAsync(TimeProvider.System.GetUtcNow(), TestContext.Current.CancellationToken);
            return true;
        });

        Assert.Contains("USING INDEX IX_RefreshTokens_UsedAt (UsedAt<?)", _plans.Newest);
        Assert.Contains("WHERE \"SealedSuccessor\" IS NOT NULL", await InScopeAsync(s => s.GetRequiredService<SallyportDb>().Database
            .SqlQueryRaw<string>("SELECT sql AS Value FROM sqlite_schema WHERE name = 'IX_RefreshTokens_UsedAt'").SingleAsync(TestContext.Current.CancellationToken)));
    }

    /// <summary>How SQLite goes about what the model asks it.</summary>
    private sealed class QueryPlans : DbCommandInterceptor
    {
        public string Newest { get; private set; } = "";

        public override async ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result, CancellationToken cancellationToken = default)
        {
            await ExplainAsync(command, cancellationToken);
            return result;
        }

        public override async ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
        {
            await ExplainAsync(command, cancellationToken);
            return result;
        }

        private async Task ExplainAsync(DbCommand command, CancellationToken cancellationToken)
        {
            await using var plan = command.Connection!.CreateCommand();
            plan.CommandText = "EXPLAIN QUERY PLAN " + command.CommandText;
            plan.Transaction = command.Transaction;
            foreach (DbParameter parameter in command.Parameters)
            {
                var same = plan.CreateParameter();
                (same.ParameterName, same.Value) = (parameter.ParameterName, parameter.Value);
                plan.Parameters.Add(same);
            }
            var steps = new List<string>();
            await using (var reader = await plan.ExecuteReaderAsync(cancellationToken))
            {
                while (await reader.ReadAsync(cancellationToken))
                    steps.Add(reader.GetString(reader.GetOrdinal("detail")));
            }
            Newest = string.Join('\n', steps);
        }
    }
}
