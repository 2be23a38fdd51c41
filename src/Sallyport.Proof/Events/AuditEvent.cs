using System.Text.Json.Serialization;

namespace Sallyport.Proof.Events;

/// <summary>One entry of the log. The derived types are the closed set of what a log can say.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type", UnknownDerivedTypeHandling = JsonUnknownDerivedTypeHandling.FailSerialization)]
[JsonDerivedType(typeof(Started), "start")]
[JsonDerivedType(typeof(Stopped), "stop")]
[JsonDerivedType(typeof(OperatorActed), "operator.acted")]
[JsonDerivedType(typeof(DiscoveryAnswered), "discovery.answered")]
[JsonDerivedType(typeof(ClientRegistered), "client.registered")]
[JsonDerivedType(typeof(ClientChanged), "client.changed")]
[JsonDerivedType(typeof(ClientRemoved), "client.removed")]
[JsonDerivedType(typeof(ClientRefused), "client.refused")]
[JsonDerivedType(typeof(RequestsLimited), "requests.limited")]
[JsonDerivedType(typeof(AuthorizationStarted), "authorization.started")]
[JsonDerivedType(typeof(AuthorizationRefused), "authorization.refused")]
[JsonDerivedType(typeof(ProviderAsked), "provider.asked")]
[JsonDerivedType(typeof(ProviderAnswered), "provider.answered")]
[JsonDerivedType(typeof(UserAuthenticated), "user.authenticated")]
[JsonDerivedType(typeof(UserRefused), "user.refused")]
[JsonDerivedType(typeof(UserSignedOut), "user.signed_out")]
[JsonDerivedType(typeof(ConsentGiven), "consent.given")]
[JsonDerivedType(typeof(ConsentRefused), "consent.refused")]
[JsonDerivedType(typeof(CodeIssued), "code.issued")]
[JsonDerivedType(typeof(TokenIssued), "token.issued")]
[JsonDerivedType(typeof(TokenRepeated), "token.repeated")]
[JsonDerivedType(typeof(TokenRefused), "token.refused")]
[JsonDerivedType(typeof(TokenRevoked), "token.revoked")]
[JsonDerivedType(typeof(TokenIntrospected), "token.introspected")]
[JsonDerivedType(typeof(AccessAllowed), "access.allowed")]
[JsonDerivedType(typeof(AccessRefused), "access.refused")]
[JsonDerivedType(typeof(AccessOutcome), "access.outcome")]
[JsonDerivedType(typeof(GateActed), "gate.acted")]
[JsonDerivedType(typeof(HeartbeatPrepared), "heartbeat.prepared")]
[JsonDerivedType(typeof(HeartbeatAnswered), "heartbeat.answered")]
[JsonDerivedType(typeof(FindingRaised), "finding.raised")]
[JsonDerivedType(typeof(SessionOpened), "session.opened")]
[JsonDerivedType(typeof(SessionClosed), "session.closed")]
[JsonDerivedType(typeof(ClockWentBack), "clock.went_back")]
[JsonDerivedType(typeof(CheckpointSigned), "checkpoint.signed")]
[JsonDerivedType(typeof(SnapshotBegun), "snapshot.begun")]
[JsonDerivedType(typeof(SnapshotPart), "snapshot.part")]
[JsonDerivedType(typeof(SnapshotCompleted), "snapshot.completed")]
[JsonDerivedType(typeof(LogKeyRotated), "log.key_rotated")]
[JsonDerivedType(typeof(LogPruned), "log.pruned")]
[JsonDerivedType(typeof(LogRestored), "log.restored")]
[JsonDerivedType(typeof(WitnessCosigned), "witness.cosigned")]
[JsonDerivedType(typeof(WitnessRefused), "witness.refused")]
public abstract record AuditEvent
{
    /// <summary>Random and unique; also told to the caller (<c>Sallyport-Event</c>), so that a report of theirs can be found.</summary>
    [JsonPropertyOrder(-3)]
    public required string Id { get; init; }

    /// <summary>Wall time, UTC. May go back when the machine's clock does; the order of the log does not.</summary>
    [JsonPropertyOrder(-2)]
    [JsonRequired]
    public DateTimeOffset Time { get; init; }

    /// <summary>Monotonic milliseconds since the start event of the process that wrote this.</summary>
    [JsonPropertyOrder(-1)]
    [JsonRequired]
    public long Elapsed { get; init; }
}

/// <summary>What a request brought about.</summary>
public abstract record RequestEvent : AuditEvent
{
    /// <summary>The commitment to the network address that the request came from; null where it is not known. See <see cref="ValueKind"/>.</summary>
    [JsonPropertyOrder(1)]
    public string? Source { get; init; }
}

/// <summary>What a request brought about that says by which program it was sent.</summary>
public abstract record AgentEvent : RequestEvent
{
    /// <summary>The commitment to what the program calls itself. See <see cref="ValueKind"/>.</summary>
    [JsonPropertyOrder(2)]
    public string? UserAgent { get; init; }
}

/// <summary>A process opened the log for writing.</summary>
public sealed record Started : AuditEvent
{
    /// <summary>A <see cref="Durability"/>: an access event that was committed survives a kill, not always a power loss.</summary>
    public const string SurvivesProcess = "process";

    /// <summary>A <see cref="Durability"/>: an access event that was committed is on the disk.</summary>
    public const string SurvivesPowerLoss = "disk";

    /// <summary>What opened it: <c>serve</c>, or the command that an operator ran while no gate did.</summary>
    public required string Process { get; init; }
    public required string Version { get; init; }
    /// <summary>False when the log does not end in a stop event: the process before was killed.</summary>
    public required bool AfterCleanStop { get; init; }
    /// <summary>Bytes of a torn record that were cut off the end of the journal.</summary>
    public required long BytesCut { get; init; }
    /// <summary>Changes found committed in the database but not in the log, appended right after this event.</summary>
    public required int Recovered { get; init; }
    /// <summary>SHA-256 (hex) of the configuration in force, or null where no gate is served.</summary>
    public string? Configuration { get; init; }
    /// <summary>What <c>committed</c> means for an access event: <see cref="SurvivesProcess"/> or <see cref="SurvivesPowerLoss"/>. A change of state is on the disk before anybody is told of it, if not in the log, then in the database, from where the next start takes its event.</summary>
    public required string Durability { get; init; }
    /// <summary>How many leaves stood before this event: its own index.</summary>
    public long? FollowsSize { get; init; }
    /// <summary>The root of the tree of those leaves, in base64.</summary>
    public string? FollowsRoot { get; init; }
}

/// <summary>The process closed the log; everything before this was written.</summary>
public sealed record Stopped : AuditEvent;

/// <summary>An operator changed something from the shell, or through the one-time link.</summary>
public sealed record OperatorActed : AuditEvent
{
    public required OperatorAct Act { get; init; }
    /// <summary>
    /// What was acted upon: the subject's, the client's or the grant's id. Where values were erased: the subject, the commitment to the address, or
    /// the day before which they were used last.
    /// </summary>
    public required string Target { get; init; }
    /// <summary>The commitment to a new user's name.</summary>
    public string? Name { get; init; }
    /// <summary>How many values of each kind were erased.</summary>
    public IReadOnlyList<ErasedCount>? Erased { get; init; }
}

public sealed record ErasedCount(ValueKind Kind, int Count);

/// <summary>The operators' acts.</summary>
public enum OperatorAct
{
    [JsonStringEnumMemberName("user.added")] UserAdded,
    [JsonStringEnumMemberName("owner.enrolled")] OwnerEnrolled,
    [JsonStringEnumMemberName("values.erased")] ValuesErased,
    [JsonStringEnumMemberName("user.removed")] UserRemoved,
    [JsonStringEnumMemberName("user.disabled")] UserDisabled,
    [JsonStringEnumMemberName("user.enabled")] UserEnabled,
    [JsonStringEnumMemberName("password.changed")] PasswordChanged,
    [JsonStringEnumMemberName("client.added")] ClientAdded,
    [JsonStringEnumMemberName("client.revoked")] ClientRevoked,
    [JsonStringEnumMemberName("client.disabled")] ClientDisabled,
    [JsonStringEnumMemberName("client.enabled")] ClientEnabled,
    [JsonStringEnumMemberName("token.revoked")] TokenRevoked,
    /// <summary>Another key is to sign access tokens; those before it are accepted until the last one has expired.</summary>
    [JsonStringEnumMemberName("token_key.added")] TokenKeyAdded,
    /// <summary>Likewise at once: what those before it made is good no more.</summary>
    [JsonStringEnumMemberName("token_keys.replaced")] TokenKeysReplaced,
}

/// <summary>A metadata document was given out (RFC 8414, RFC 9728): where a client's way in begins.</summary>
public sealed record DiscoveryAnswered : AuditEvent
{
    /// <summary>The well-known name: <c>oauth-protected-resource</c>, <c>oauth-authorization-server</c> or <c>openid-configuration</c>.</summary>
    public required string Document { get; init; }
    /// <summary>The resource's path that was asked about; empty for the origin.</summary>
    public required string Path { get; init; }
}

/// <summary>A client registered itself (RFC 7591), or an operator added it.</summary>
public sealed record ClientRegistered : AgentEvent
{
    public required string Client { get; init; }
    /// <summary><c>none</c>, <c>client_secret_post</c> or <c>client_secret_basic</c>.</summary>
    public required string AuthMethod { get; init; }
    public required IReadOnlyList<string> RedirectUris { get; init; }
    /// <summary>Why redirect URIs were left out: a word of <see cref="Reason"/> for each of them.</summary>
    public IReadOnlyList<string>? LeftOut { get; init; }
    /// <summary>A public client came with the same metadata again, and has the id that it had.</summary>
    public bool Repeated { get; init; }
    /// <summary>The commitment to the name that the client gave itself.</summary>
    public string? Name { get; init; }
}

/// <summary>A client changed its registration (RFC 7592 §2.2). Where its redirect URIs are others now, what it was allowed before is revoked.</summary>
public sealed record ClientChanged : AgentEvent
{
    public required string Client { get; init; }
    public required IReadOnlyList<string> RedirectUris { get; init; }
    /// <summary>The commitment to the name that the client gave itself.</summary>
    public string? Name { get; init; }
}

/// <summary>Registrations that are no more.</summary>
public sealed record ClientRemoved : RequestEvent
{
    public required Reason Reason { get; init; }
    public required IReadOnlyList<string> Clients { get; init; }
}

public sealed record ClientRefused : RequestEvent
{
    public required Reason Reason { get; init; }
    /// <summary>Whose registration access token was presented, where it was one of ours.</summary>
    public string? Client { get; init; }
}

/// <summary>
/// Requests were refused because there were too many: the first of a minute at once, the others of that minute, counted, when it is over.
/// </summary>
public sealed record RequestsLimited : RequestEvent
{
    /// <summary>What there was too much of.</summary>
    public required Reason Reason { get; init; }
    public required string Path { get; init; }
    public required long Count { get; init; }
    public string? Client { get; init; }
}

/// <summary>An authorization request was found good; the user is asked to sign in.</summary>
public sealed record AuthorizationStarted : AgentEvent
{
    public required string Transaction { get; init; }
    public required string Client { get; init; }
    public required string RedirectUri { get; init; }
    public required string Audience { get; init; }
    public required IReadOnlyList<string> Scopes { get; init; }
}

public sealed record AuthorizationRefused : RequestEvent
{
    public required Reason Reason { get; init; }
    public string? Client { get; init; }
    public string? Transaction { get; init; }
}

/// <summary>A browser was sent to an identity provider, with a state of ours that is good once.</summary>
public sealed record ProviderAsked : AgentEvent
{
    public required string Transaction { get; init; }
    /// <summary>Null where a user signs in for their own account only.</summary>
    public string? Client { get; init; }
    /// <summary>The provider's issuer.</summary>
    public required string Provider { get; init; }
}

/// <summary>The same browser came back with that state, which is used up. Whether anybody is signed in, the next event says.</summary>
public sealed record ProviderAnswered : RequestEvent
{
    public required string Transaction { get; init; }
    /// <summary>The provider's issuer.</summary>
    public required string Provider { get; init; }
}

/// <summary>A user proved who they are.</summary>
public sealed record UserAuthenticated : AgentEvent
{
    public required string Subject { get; init; }
    /// <summary>Names this sign-in; consents given under it name it too.</summary>
    public required string Authentication { get; init; }
    /// <summary>How (RFC 8176): <c>pwd</c>; <c>enrol</c> by the one-time link; <c>provider</c> at an identity provider.</summary>
    public required string Method { get; init; }
    /// <summary>The commitment to the user's name.</summary>
    public string? Name { get; init; }
    public string? Transaction { get; init; }
    /// <summary>The issuer of the identity provider that vouches for it.</summary>
    public string? Provider { get; init; }
}

public sealed record UserRefused : RequestEvent
{
    public required Reason Reason { get; init; }
    public string? Subject { get; init; }
    public string? Transaction { get; init; }
    /// <summary>The issuer of the identity provider, where the sign-in was by one.</summary>
    public string? Provider { get; init; }
}

/// <summary>All sign-ins of a user ended, at every browser.</summary>
public sealed record UserSignedOut : RequestEvent
{
    public required string Subject { get; init; }
}

public sealed record ConsentGiven : AuditEvent
{
    public required string Consent { get; init; }
    public required string Transaction { get; init; }
    public required string Authentication { get; init; }
    public required string Client { get; init; }
    public required string Subject { get; init; }
    public required string Audience { get; init; }
    public required IReadOnlyList<string> Scopes { get; init; }
    /// <summary>Where the code goes; there where the consent is remembered, or rests on one that is.</summary>
    public string? RedirectUri { get; init; }
    /// <summary>Until then, at most, the user need not be asked again: for the same, or less, with the answer at that address.</summary>
    public DateTimeOffset? RememberedUntil { get; init; }
    /// <summary>The consent that was remembered: the user was not asked again.</summary>
    public string? RestsOn { get; init; }
}

public sealed record ConsentRefused : AuditEvent
{
    public required string Transaction { get; init; }
    public required string Client { get; init; }
    public required string Subject { get; init; }
}

public sealed record CodeIssued : AuditEvent
{
    /// <summary>The code's internal id, never the code.</summary>
    public required string Code { get; init; }
    public required string Grant { get; init; }
    public required string Consent { get; init; }
    public required string Client { get; init; }
    public required string Subject { get; init; }
    public required DateTimeOffset Expires { get; init; }
    /// <summary>What an operator should look at, although the code is good.</summary>
    public Reason? Warning { get; init; }
}

/// <summary>One access token, with the refresh token that came with it.</summary>
public sealed record TokenIssued : RequestEvent
{
    /// <summary>The access token's internal id.</summary>
    public required string Token { get; init; }
    /// <summary>All that descends from one consent: the family that a revocation ends.</summary>
    public required string Grant { get; init; }
    /// <summary><c>authorization_code</c> or <c>refresh_token</c>.</summary>
    public required string GrantType { get; init; }
    /// <summary>The internal id of the code or refresh token that was exchanged.</summary>
    public required string Parent { get; init; }
    public required string Client { get; init; }
    public required string Subject { get; init; }
    public required string Audience { get; init; }
    public required IReadOnlyList<string> Scopes { get; init; }
    public required DateTimeOffset Expires { get; init; }
    public string? RefreshToken { get; init; }
    public DateTimeOffset? RefreshExpires { get; init; }
    /// <summary>A code exchange verified its PKCE proof (S256).</summary>
    public bool Pkce { get; init; }
}

/// <summary>A refresh token presented again within its grace window got the same successor again, byte for byte.</summary>
public sealed record TokenRepeated : AuditEvent
{
    public required string Grant { get; init; }
    public required string Client { get; init; }
    /// <summary>The internal id of the refresh token that was presented.</summary>
    public required string Presented { get; init; }
}

public sealed record TokenRefused : RequestEvent
{
    public required Reason Reason { get; init; }
    public string? Client { get; init; }
    public string? Grant { get; init; }
    /// <summary>The internal id of the code or refresh token that was presented, where it was one of ours.</summary>
    public string? Presented { get; init; }
}

/// <summary>A grant with all that descends from it, or one access token, is good no more.</summary>
public sealed record TokenRevoked : RequestEvent
{
    public required Reason Reason { get; init; }
    public required string Grant { get; init; }
    /// <summary>Set when one access token was revoked and its grant lives on.</summary>
    public string? Token { get; init; }
}

/// <summary>A resource server or a client asked whether a token is good (RFC 7662), and was told.</summary>
public sealed record TokenIntrospected : RequestEvent
{
    /// <summary>Who asked.</summary>
    public required string Client { get; init; }
    public required bool Active { get; init; }
    /// <summary>The internal id of the access or refresh token, where the answer says anything about it.</summary>
    public string? Token { get; init; }
}

/// <summary>Committed before the upstream sees a byte.</summary>
public sealed record AccessAllowed : RequestEvent
{
    /// <summary>A <see cref="Transport"/>: revisions since 2025-03-26.</summary>
    public const string StreamableHttp = "streamable-http";

    /// <summary>A <see cref="Transport"/>: HTTP+SSE of 2024-11-05.</summary>
    public const string Sse = "sse";

    /// <summary>The <see cref="Method"/> that calls a tool.</summary>
    public const string ToolCall = "tools/call";

    /// <summary>The <see cref="Method"/> that opens a standing stream (2026-07-28).</summary>
    public const string Listen = "subscriptions/listen";

    public required string Token { get; init; }
    public required string Subject { get; init; }
    public required string Client { get; init; }
    /// <summary>The resource that the request was to, whatever the token is for.</summary>
    public required string Audience { get; init; }
    /// <summary>The index of the newest state event that this decision may rely on; until there is one since the start, that of the last leaf before it.</summary>
    public required long AsOf { get; init; }
    public required IReadOnlyList<string> ScopesNeeded { get; init; }
    /// <summary><see cref="StreamableHttp"/> or <see cref="Sse"/>.</summary>
    public required string Transport { get; init; }
    public required string HttpMethod { get; init; }
    /// <summary>The JSON-RPC method; null for a stream, a session's end or an answer to the server.</summary>
    public string? Method { get; init; }
    /// <summary>The tool, prompt or resource that the method names; a long one is cut, with a hash of the whole.</summary>
    public string? Name { get; init; }
    public string? Session { get; init; }

    /// <summary>Whether its session begins with it, where it has one.</summary>
    internal bool OpensSession => Transport == Sse ? HttpMethod == "GET" : Method == "initialize";
}

public sealed record AccessRefused : RequestEvent
{
    public required Reason Reason { get; init; }
    public required string HttpMethod { get; init; }
    /// <summary>The path without its query, a long one cut, with a hash of the whole.</summary>
    public required string Path { get; init; }
    /// <summary>The HTTP status that the caller got.</summary>
    public required int Status { get; init; }
    public string? Token { get; init; }
    public string? Subject { get; init; }
    public string? Client { get; init; }
    public string? Session { get; init; }
}

/// <summary>What became of accesses that were allowed, several at a time.</summary>
public sealed record AccessOutcome : AuditEvent
{
    /// <summary>Event ids of accesses whose message reached the upstream.</summary>
    public IReadOnlyList<string> Forwarded { get; init; } = [];
    public IReadOnlyList<AccessFailure> NotForwarded { get; init; } = [];
    /// <summary>Of those forwarded, the ones that the upstream gave no usable answer to.</summary>
    public IReadOnlyList<AccessFailure> Unanswered { get; init; } = [];
    /// <summary>Event ids of accesses that opened a standing stream, which has come to its end; null where none has.</summary>
    public IReadOnlyList<string>? StreamsEnded { get; init; }
}

/// <summary>What became of one access, and why.</summary>
public sealed record AccessFailure(string Access, Reason Reason);

/// <summary>The gate's own message to an upstream, which no access of a caller's caused. Committed before it leaves.</summary>
public sealed record GateActed : AuditEvent
{
    public required GateAct Act { get; init; }
    /// <summary>The upstream, by the audience of tokens for it.</summary>
    public required string Audience { get; init; }
    /// <summary>The session on whose behalf it acts.</summary>
    public string? Session { get; init; }
}

/// <summary>What the gate says to an upstream of itself.</summary>
public enum GateAct
{
    /// <summary>It asks which transport and revisions there are.</summary>
    [JsonStringEnumMemberName("discovery")] Discovery,
    /// <summary>It opens the stream that a session over HTTP+SSE is.</summary>
    [JsonStringEnumMemberName("session.set_up")] SessionSetUp,
    /// <summary>It listens for what the server says of itself, also after the stream broke.</summary>
    [JsonStringEnumMemberName("listening")] Listening,
    /// <summary>It ends a session.</summary>
    [JsonStringEnumMemberName("closing")] Closing,
    /// <summary>It answers a request of the server's, which no client may get, with an error.</summary>
    [JsonStringEnumMemberName("request.refused")] RequestRefused,
    /// <summary>It takes back a request for whose answer nobody waits any more.</summary>
    [JsonStringEnumMemberName("request.cancelled")] RequestCancelled,
}

/// <summary>
/// The tokens with which the gate tries itself, at one upstream. They come of nothing and are good for nothing: no access is ever allowed
/// with one.
/// </summary>
public sealed record HeartbeatPrepared : AuditEvent
{
    /// <summary>The id of their client, which is no registered one: where a refusal names it, it was one of these tokens.</summary>
    public const string Client = "sallyport-heartbeat";

    /// <summary>The upstream, by the audience of tokens for it.</summary>
    public required string Audience { get; init; }
    public required IReadOnlyList<HeartbeatToken> Tokens { get; init; }
}

/// <summary>A token of the gate's own.</summary>
/// <param name="Token">Its internal id.</param>
/// <param name="Class">What it is for.</param>
public sealed record HeartbeatToken(string Token, HeartbeatClass Class, DateTimeOffset Expires);

/// <summary>
/// What became of the requests that the gate sent itself through its public address, to each way in of one upstream: one of each class.
/// Refusals of these have no events of their own.
/// </summary>
public sealed record HeartbeatAnswered : AuditEvent
{
    /// <summary>The upstream, by the audience of tokens for it.</summary>
    public required string Audience { get; init; }
    /// <summary>How often it is done, in seconds.</summary>
    public required int Interval { get; init; }
    /// <summary>Method and path of each.</summary>
    public required IReadOnlyList<string> Ways { get; init; }
    public required IReadOnlyList<HeartbeatAnswer> Answers { get; init; }
}

/// <summary>What requests of one class came to, where that is the same.</summary>
/// <param name="ByGate">Whether the gate itself gave that answer; otherwise something before it did, or nothing.</param>
/// <param name="Status">The HTTP status that came back; null where none did.</param>
/// <param name="Reason">Why the gate refused them; null where it did not.</param>
/// <param name="Ways">Which; null for all of them.</param>
public sealed record HeartbeatAnswer(HeartbeatClass Class, bool ByGate, int? Status = null, Reason? Reason = null, IReadOnlyList<string>? Ways = null);

/// <summary>
/// A rule found something in the log that somebody should look at. It contradicts nothing, and no claim is decided by it. The members that name
/// something say together what it is about; the same is not raised again for a while.
/// </summary>
public sealed record FindingRaised : AuditEvent
{
    public required FindingRule Rule { get; init; }
    public string? Client { get; init; }
    public string? Subject { get; init; }
    public string? Grant { get; init; }
    /// <summary>The upstream, by the audience of tokens for it.</summary>
    public string? Audience { get; init; }
    /// <summary>The tool.</summary>
    public string? Name { get; init; }
    /// <summary>The type of the events behind which nothing follows.</summary>
    public string? Step { get; init; }
    /// <summary>The commitment to the network address that it came from; where it is about all of them, there is none.</summary>
    public string? Source { get; init; }
    /// <summary>How many there were, when it was raised.</summary>
    public required long Count { get; init; }
    /// <summary>From how many on it is a finding.</summary>
    public required long Threshold { get; init; }
    /// <summary>How long it took from the first of them to the last.</summary>
    public required long Seconds { get; init; }
    /// <summary>The index of the first of them.</summary>
    public required long First { get; init; }
    /// <summary>The index of the last of them.</summary>
    public required long Last { get; init; }
}

public sealed record SessionOpened : AgentEvent
{
    public required string Session { get; init; }
    public required string Transport { get; init; }
    public required string Subject { get; init; }
    public required string Client { get; init; }
    public required string Audience { get; init; }
}

public sealed record SessionClosed : AuditEvent
{
    public required string Session { get; init; }
    public required Reason Reason { get; init; }
}

/// <summary>The wall clock stood earlier than at an event before; the order of the log and <see cref="AuditEvent.Elapsed"/> are not touched by that.</summary>
public sealed record ClockWentBack : AuditEvent
{
    /// <summary>How far, in milliseconds.</summary>
    public required long Milliseconds { get; init; }
}

/// <summary>The head of the log at a size was signed, and given to the anchors.</summary>
public sealed record CheckpointSigned : AuditEvent
{
    public required long Size { get; init; }
    /// <summary>In base64.</summary>
    public required string Root { get; init; }
    /// <summary>The anchors that have it.</summary>
    public IReadOnlyList<string> Anchors { get; init; } = [];
    /// <summary>The anchors that could not be reached, or refused it.</summary>
    public IReadOnlyList<AnchorFailure> Failures { get; init; } = [];
}

/// <summary>Why an anchor does not have a checkpoint.</summary>
public sealed record AnchorFailure(string Anchor, Reason Reason);

/// <summary>
/// The live state follows, as it was at this very event: what was committed before it, and nothing that came after. From here on a
/// span can be judged without what came before.
/// </summary>
public sealed record SnapshotBegun : AuditEvent
{
    /// <summary>Names the snapshot; its parts carry it. Other events may stand between them.</summary>
    public required string Snapshot { get; init; }
}

/// <summary>Some of what lived when the snapshot began.</summary>
public sealed record SnapshotPart : AuditEvent
{
    public required string Snapshot { get; init; }
    public IReadOnlyList<SnapshotClient>? Clients { get; init; }
    public IReadOnlyList<string>? Subjects { get; init; }
    public IReadOnlyList<SnapshotGrant>? Grants { get; init; }
    public IReadOnlyList<SnapshotConsent>? Consents { get; init; }
    public IReadOnlyList<SnapshotToken>? Tokens { get; init; }
    public IReadOnlyList<SnapshotRefreshToken>? RefreshTokens { get; init; }
    public IReadOnlyList<SnapshotSession>? Sessions { get; init; }
}

public sealed record SnapshotClient(string Client, string AuthMethod);

/// <summary>A family that was not revoked: its consent, its code, and whose it is.</summary>
public sealed record SnapshotGrant(string Grant, string Client, string Subject, string Audience, string Consent, string Code, DateTimeOffset CodeExpires, bool CodeRedeemed);

/// <summary>A consent that is remembered, and the grant that came of it, which says whose it is.</summary>
public sealed record SnapshotConsent(string Consent, string Grant, string RedirectUri, IReadOnlyList<string> Scopes, DateTimeOffset RememberedUntil);

/// <summary>An access token that was neither revoked nor expired.</summary>
public sealed record SnapshotToken(string Token, string Grant, IReadOnlyList<string> Scopes, DateTimeOffset Expires);

/// <summary>A refresh token that was not expired.</summary>
public sealed record SnapshotRefreshToken(string RefreshToken, string Grant, DateTimeOffset Expires, bool Used);

public sealed record SnapshotSession(string Session, string Subject, string Client, string Audience);

/// <summary>The snapshot is whole: so many of each it has.</summary>
public sealed record SnapshotCompleted : AuditEvent
{
    public required string Snapshot { get; init; }
    /// <summary>The index of its begin.</summary>
    public required long BegunAt { get; init; }
    public required int Parts { get; init; }
}

/// <summary>Another key signs the log from the next checkpoint on, which both sign; then the one before is destroyed.</summary>
public sealed record LogKeyRotated : AuditEvent
{
    /// <summary>The verifier key that has signed so far.</summary>
    public required string Previous { get; init; }
    /// <summary>The verifier key that signs from then on: of the same name.</summary>
    public required string Key { get; init; }
}

/// <summary>What stood before an index was removed, as the operator's retention says; a snapshot stands behind it.</summary>
public sealed record LogPruned : AuditEvent
{
    /// <summary>The first leaf that is left, at the beginning of a bundle.</summary>
    public required long MinimumIndex { get; init; }
    /// <summary>The first leaf that is left in the journal, whose segments end elsewhere.</summary>
    public required long JournalIndex { get; init; }
    /// <summary>The snapshot that stands for what was removed.</summary>
    public required string Snapshot { get; init; }
}

/// <summary>
/// The first event of a log that goes on from a backup. It is a log of its own, with its own origin: what the old one recorded after
/// the backup is not in it, and everything that was granted before it is revoked.
/// </summary>
public sealed record LogRestored : AuditEvent
{
    /// <summary>Counts restores, from 1.</summary>
    public required int Epoch { get; init; }
    public required string PreviousOrigin { get; init; }
    public required long PreviousSize { get; init; }
    /// <summary>In base64.</summary>
    public required string PreviousRoot { get; init; }
}

/// <summary>As a witness for another log, this gate vouches that the log had this head and only grew to it.</summary>
public sealed record WitnessCosigned : AuditEvent
{
    public required string Origin { get; init; }
    public required long Size { get; init; }
    /// <summary>In base64.</summary>
    public required string Root { get; init; }
}

/// <summary>As a witness, this gate did not cosign what it was given.</summary>
public sealed record WitnessRefused : AuditEvent
{
    public required Reason Reason { get; init; }
    /// <summary>The HTTP status that the caller got.</summary>
    public required int Status { get; init; }
    /// <summary>The log, as the checkpoint names it; a long one is cut, with a hash of the whole.</summary>
    public string? Origin { get; init; }
    /// <summary>What a checkpoint that the log's key did sign says; likewise <see cref="Root"/>.</summary>
    public long? Size { get; init; }
    /// <summary>In base64.</summary>
    public string? Root { get; init; }
    /// <summary>Of an inconsistent one, the checkpoint itself with the log's signature: whoever has the log's key can check it.</summary>
    public string? Note { get; init; }
}
