using Sallyport.Proof.Events;

namespace Sallyport.Proof.Claims;

/// <summary>When something happened: where in the log, and when by the clock that never goes back.</summary>
/// <param name="Index">The number of the event.</param>
/// <param name="Clock">Milliseconds that gates have run since the log's first event, up to it.</param>
internal readonly record struct Moment(long Index, long Clock);

internal sealed record Transaction(long Index, string Client, string RedirectUri, string Audience, IReadOnlyList<string> Scopes);

internal sealed record SignIn(long Index, string Subject);

internal sealed record Consent(long Index, string Client, string Subject, string Audience, IReadOnlyList<string> Scopes, long? SignIn, long? Transaction)
{
    public DateTimeOffset? RememberedUntil { get; init; }
    /// <summary>Where the consent stands that was remembered; null where the user was asked.</summary>
    public long? RestsOn { get; init; }
}

/// <summary>All that descends from one code.</summary>
internal sealed class Grant
{
    public required string Id { get; init; }
    public required long Index { get; init; }
    /// <summary>The consent that it rests on; null where that is not in the log, or lies before it begins.</summary>
    public Consent? Consent { get; init; }
    public required string Client { get; init; }
    public required string Subject { get; init; }
    /// <summary>Null where the consent is not in the log.</summary>
    public required string? Audience { get; init; }
    /// <summary>What the user allowed; null where the consent is not in the log, or only a snapshot tells of it, which does not say.</summary>
    public IReadOnlyList<string>? Scopes { get; init; }
    public Moment? Revoked { get; set; }
    /// <summary>Where something that was used up was presented again: from there on the grant has to be revoked.</summary>
    public long? Reused { get; set; }
}

internal sealed class Code(Grant grant, DateTimeOffset expires)
{
    public Grant Grant => grant;
    public DateTimeOffset Expires => expires;
    public long? RedeemedAt { get; set; }
}

/// <param name="refreshes">How many exchanges of refresh tokens lie between it and the code.</param>
internal sealed class AccessToken(long index, Grant grant, IReadOnlyList<string> scopes, DateTimeOffset expires, int refreshes)
{
    public int Refreshes => refreshes;
    public long Index => index;
    public Grant Grant => grant;
    public IReadOnlyList<string> Scopes => scopes;
    public DateTimeOffset Expires => expires;
    /// <summary>What it says itself, which is that of its grant, or was found not to be.</summary>
    public required string Subject { get; init; }
    public required string Client { get; init; }
    public required string Audience { get; init; }
    /// <summary>Only a snapshot tells of it; where it was issued, nobody can say any more.</summary>
    public bool IsTold { get; init; }
    public Moment? Revoked { get; set; }

    /// <summary>When it was good no more, by itself or with its grant.</summary>
    public Moment? Ended => (Revoked, Grant.Revoked) switch
    {
        ({ } alone, { } all) => alone.Index < all.Index ? alone : all,
        var (alone, all) => alone ?? all,
    };
}

internal sealed class RefreshToken(Grant grant, DateTimeOffset expires, int refreshes)
{
    public int Refreshes => refreshes;
    public Grant Grant => grant;
    public DateTimeOffset Expires => expires;
    public long? UsedAt { get; set; }
    /// <summary>Null where only a snapshot tells that it was used.</summary>
    public DateTimeOffset? UsedTime { get; set; }
}

/// <summary>Whose a session is, and its stream, where it is one.</summary>
internal sealed record Session(long Index, string Subject, string Client, OpenStream? Stream = null)
{
    /// <summary>False while only the access stands there that opens it.</summary>
    public bool IsOpened { get; init; }
    public Moment? Closed { get; init; }

    public bool HasEndedBefore(long clock) => Closed is { } closed && clock - closed.Clock > Tolerances.Stamp.TotalMilliseconds;
}

/// <summary>A stream that stands open for whatever comes: on the strength of which token, and until when by the clock.</summary>
internal sealed record OpenStream(long Index, AccessToken Token, long EndsBy)
{
    private static readonly long s_late = (long)(Tolerances.Lag + Tolerances.Stamp).TotalMilliseconds;

    /// <summary>The one that an access opens.</summary>
    public static OpenStream Of(long index, AccessAllowed access, AccessToken token, long clock) =>
        new(index, token, clock + (long)(token.Expires - access.Time).TotalMilliseconds);

    /// <summary>What had become of its token; null where it might still be open.</summary>
    public string? WhyLate(long clock) =>
        Token.Ended is { } ended && clock > ended.Clock + s_late ? $"been revoked by event {ended.Index}"
        : clock > EndsBy + s_late ? "expired"
        : null;
}

/// <summary>
/// What is alive at one place of the log. It grows with that, and not with the log: what has expired is dropped a while later.
/// </summary>
internal sealed class LiveState
{
    /// <summary>Those that are registered, with the event that says so.</summary>
    public Dictionary<string, long> Clients { get; } = new(StringComparer.Ordinal);
    public Table<Transaction> Transactions { get; } = new();
    public Table<SignIn> SignIns { get; } = new();
    public Table<Consent> Consents { get; } = new();
    public RememberedConsents Remembered { get; } = new();
    public Table<Grant> Grants { get; } = new();
    public Table<Code> Codes { get; } = new();
    public Table<AccessToken> Tokens { get; } = new();
    public Table<RefreshToken> RefreshTokens { get; } = new();
    public Dictionary<string, Session> Sessions { get; } = new(StringComparer.Ordinal);

    /// <summary>By the ids of the accesses that opened them. Those over HTTP+SSE are sessions.</summary>
    public Dictionary<string, OpenStream> Streams { get; } = new(StringComparer.Ordinal);

    /// <summary>Accesses that were allowed and have no outcome yet.</summary>
    public Dictionary<string, Moment> Open { get; } = new(StringComparer.Ordinal);

    /// <summary>Drops what expired, by both clocks, so long ago that no event can be about it any more.</summary>
    public void Sweep(long clock, DateTimeOffset time)
    {
        Transactions.Sweep(clock, time);
        SignIns.Sweep(clock, time);
        Consents.Sweep(clock, time);
        Remembered.Sweep(clock, time);
        Grants.Sweep(clock, time);
        Codes.Sweep(clock, time);
        Tokens.Sweep(clock, time);
        RefreshTokens.Sweep(clock, time);
        foreach (var (id, session) in Sessions)
        {
            if (session.HasEndedBefore(clock))
                Sessions.Remove(id);
        }
    }

    /// <summary>Things by their ids, each until it ends.</summary>
    internal sealed class Table<T>
    {
        /// <summary>How long something is kept after it expired, to tell what became of it from what never was.</summary>
        private static readonly TimeSpan s_margin = TimeSpan.FromHours(1);

        private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);
        private readonly PriorityQueue<string, long> _ends = new();

        public T? Find(string id) => _entries.TryGetValue(id, out var entry) ? entry.Value : default;

        /// <returns>False when there is one of that id.</returns>
        public bool Add(string id, T value, AuditEvent since, long clock, DateTimeOffset until)
        {
            if (!_entries.TryAdd(id, new(value, until)))
                return false;
            // A wall clock that is set forward ends nothing here: as much time has to have passed, too.
            _ends.Enqueue(id, End(clock, until - since.Time));
            return true;
        }

        /// <summary>Something is good for longer than was known.</summary>
        public void Extend(string id, DateTimeOffset until)
        {
            if (_entries.TryGetValue(id, out var entry) && entry.Until < until)
                _entries[id] = entry with { Until = until };
        }

        public void Sweep(long clock, DateTimeOffset time)
        {
            while (_ends.TryPeek(out var id, out var end) && end < clock)
            {
                _ends.Dequeue();
                if (!_entries.TryGetValue(id, out var entry))
                    continue;
                if (entry.Until + s_margin < time)
                    _entries.Remove(id);
                else
                    _ends.Enqueue(id, End(clock, entry.Until - time));
            }
        }

        private static long End(long clock, TimeSpan left) => clock + (long)(left > TimeSpan.Zero ? left : TimeSpan.Zero).TotalMilliseconds + (long)s_margin.TotalMilliseconds;

        private readonly record struct Entry(T Value, DateTimeOffset Until);
    }
}
