using Sallyport.Proof.Events;

namespace Sallyport.Proof.Claims;

/// <summary>
/// Takes the state of a log's beginning from its first whole snapshot. The snapshot is of the moment when it began, so what happened
/// since is kept until it is whole.
/// </summary>
internal sealed class SnapshotReader
{
    private readonly List<(long Index, long Clock, SnapshotPart Part)> _parts = [];
    private SnapshotBegun? _begun;
    private long _begunAt;

    /// <summary>The events behind the snapshot's begin.</summary>
    public List<(long Index, long Clock, AuditEvent Event)> Since { get; } = [];

    /// <summary>Takes the next event.</summary>
    /// <returns>Whether the snapshot is whole now, and the state is as it says.</returns>
    public bool Read(long index, long clock, AuditEvent next, LiveState state)
    {
        switch (next)
        {
            case SnapshotBegun begun:
                _parts.Clear();
                Since.Clear();
                (_begun, _begunAt) = (begun, index);
                return false;
            case SnapshotPart part when part.Snapshot == _begun?.Snapshot:
                _parts.Add((index, clock, part));
                return false;
            case SnapshotCompleted completed when completed.Snapshot == _begun?.Snapshot && completed.Parts == _parts.Count && completed.BegunAt == _begunAt:
                Fill(state);
                return true;
            default:
                if (_begun is not null)
                    Since.Add((index, clock, next));
                return false;
        }
    }

    private void Fill(LiveState state)
    {
        var at = _begun!;
        // Parts come in any order: what is named by others first.
        foreach (var (_, clock, part) in _parts)
        {
            foreach (var told in part.Clients ?? [])
                state.Clients.TryAdd(told.Client, _begunAt);
            foreach (var told in part.Grants ?? [])
            {
                var grant = new Grant { Id = told.Grant, Index = _begunAt, Client = told.Client, Subject = told.Subject, Audience = told.Audience };
                state.Grants.Add(told.Grant, grant, at, clock, told.CodeExpires);
                state.Codes.Add(told.Code, new(grant, told.CodeExpires) { RedeemedAt = told.CodeRedeemed ? _begunAt : null }, at, clock, told.CodeExpires);
            }
        }
        foreach (var (_, clock, part) in _parts)
        {
            foreach (var told in part.Consents ?? [])
            {
                if (state.Grants.Find(told.Grant) is not { } grant)
                    continue;
                state.Remembered.Add(new(grant.Client, grant.Subject, grant.Audience!), told.Consent, new(_begunAt, told.RedirectUri, told.Scopes, told.RememberedUntil), at, clock);
                state.Grants.Extend(told.Grant, told.RememberedUntil);
            }
            foreach (var told in part.Tokens ?? [])
            {
                if (state.Grants.Find(told.Grant) is not { } grant)
                    continue;
                state.Tokens.Add(told.Token, new(_begunAt, grant, told.Scopes, told.Expires, refreshes: 0) { Subject = grant.Subject, Client = grant.Client, Audience = grant.Audience!, IsTold = true }, at, clock, told.Expires);
                state.Grants.Extend(told.Grant, told.Expires);
            }
            foreach (var told in part.RefreshTokens ?? [])
            {
                if (state.Grants.Find(told.Grant) is not { } grant)
                    continue;
                state.RefreshTokens.Add(told.RefreshToken, new(grant, told.Expires, refreshes: 0) { UsedAt = told.Used ? _begunAt : null }, at, clock, told.Expires);
                state.Grants.Extend(told.Grant, told.Expires);
            }
            foreach (var told in part.Sessions ?? [])
                state.Sessions.TryAdd(told.Session, new(_begunAt, told.Subject, told.Client) { IsOpened = true });
        }
    }
}
