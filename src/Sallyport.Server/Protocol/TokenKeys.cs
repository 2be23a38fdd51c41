namespace Sallyport.Server.Protocol;

/// <summary>
/// The keys behind access tokens, and which of them is for what just now. A new one is published before it signs, so that whoever
/// checks signatures has it by then; one that signs no more is accepted until its last token has expired.
/// </summary>
/// <remarks>
///     made ── published ──▶ [5 min] ── signs ──▶ the next one signs ── accepted and published ──▶ [1 day] ── dropped
/// </remarks>
internal sealed class TokenKeys(IReadOnlyList<TokenKey> keys, TimeProvider time)
{
    /// <summary>How long others may keep what <c>/jwks</c> answered.</summary>
    public static readonly TimeSpan PublishedAhead = TimeSpan.FromMinutes(5);

    /// <summary>The longest life that an access token can have.</summary>
    public static readonly TimeSpan Overlap = TimeSpan.FromDays(1);

    /// <summary>The oldest first; as a whole another one after a rotation.</summary>
    private volatile IReadOnlyList<TokenKey> _keys = keys.Count > 0 ? keys : throw new ArgumentException("There is no key", nameof(keys));

    /// <summary>The one for new tokens.</summary>
    public TokenKey Current
    {
        get
        {
            var (all, now) = (_keys, time.GetUtcNow());
            for (var i = all.Count - 1; i > 0; i--)
            {
                if (all[i].SignsFrom <= now)
                    return all[i];
            }
            return all[0];
        }
    }

    /// <summary>Those whose tokens are good, with those that are to sign soon.</summary>
    public IReadOnlyList<TokenKey> Accepted
    {
        get
        {
            var (all, now) = (_keys, time.GetUtcNow());
            return [.. all.Where((_, i) => IsAccepted(all, i, now))];
        }
    }

    /// <summary>The one that a token names, if it is accepted.</summary>
    public TokenKey? Find(byte number)
    {
        // Without a list, since every request comes here that is not remembered.
        var (all, now) = (_keys, time.GetUtcNow());
        for (var i = 0; i < all.Count; i++)
        {
            if (all[i].Number == number)
                return IsAccepted(all, i, now) ? all[i] : null;
        }
        return null;
    }

    /// <summary>The keys with a new one.</summary>
    /// <param name="atOnce">It signs at once and the others are gone: what they made is good no more.</param>
    public IReadOnlyList<TokenKey> WithNew(bool atOnce)
    {
        var newest = _keys[^1];
        var number = (byte)(newest.Number == byte.MaxValue ? 1 : newest.Number + 1);
        var made = TokenKey.New(number, time.GetUtcNow() + (atOnce ? TimeSpan.Zero : PublishedAhead));
        return atOnce ? [made] : [.. Accepted.Where(key => key.Number != number), made];
    }

    public void Take(IReadOnlyList<TokenKey> keys) => _keys = keys;

    private static bool IsAccepted(IReadOnlyList<TokenKey> all, int i, DateTimeOffset now) => i == all.Count - 1 || now < all[i + 1].SignsFrom + Overlap;
}
