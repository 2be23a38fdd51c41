using System.Reflection;
using System.Text.Json.Serialization;

namespace Sallyport.Proof.Events;

/// <summary>
/// Why something was refused or ended: a closed set of words for the log and the operator. What the caller is told is far
/// less (OAuth's codes).
/// </summary>
public enum Reason
{
    // The request itself
    [JsonStringEnumMemberName("target.malformed")] TargetMalformed,
    [JsonStringEnumMemberName("host.unknown")] HostUnknown,
    [JsonStringEnumMemberName("origin.foreign")] OriginForeign,
    [JsonStringEnumMemberName("route.unknown")] RouteUnknown,
    [JsonStringEnumMemberName("method.not_allowed")] MethodNotAllowed,
    [JsonStringEnumMemberName("body.too_large")] BodyTooLarge,
    [JsonStringEnumMemberName("body.malformed")] BodyMalformed,
    [JsonStringEnumMemberName("content_type.unsupported")] ContentTypeUnsupported,
    [JsonStringEnumMemberName("parameter.missing")] ParameterMissing,
    [JsonStringEnumMemberName("parameter.repeated")] ParameterRepeated,
    [JsonStringEnumMemberName("parameter.in_query")] ParameterInQuery,
    [JsonStringEnumMemberName("parameter.too_long")] ParameterTooLong,
    [JsonStringEnumMemberName("fault")] Fault,
    [JsonStringEnumMemberName("limit.source")] LimitSource,
    [JsonStringEnumMemberName("limit.client")] LimitClient,
    [JsonStringEnumMemberName("limit.account")] LimitAccount,
    [JsonStringEnumMemberName("limit.total")] LimitTotal,

    // Registration
    [JsonStringEnumMemberName("registration.off")] RegistrationOff,
    [JsonStringEnumMemberName("metadata.invalid")] MetadataInvalid,
    [JsonStringEnumMemberName("metadata.uri_unsuitable")] MetadataUriUnsuitable,
    [JsonStringEnumMemberName("redirect.missing")] RedirectMissing,
    [JsonStringEnumMemberName("redirect.unsuitable")] RedirectUnsuitable,
    [JsonStringEnumMemberName("redirect.forbidden_scheme")] RedirectForbiddenScheme,
    [JsonStringEnumMemberName("redirect.malformed")] RedirectMalformed,
    [JsonStringEnumMemberName("redirect.fragment")] RedirectFragment,
    [JsonStringEnumMemberName("redirect.wildcard")] RedirectWildcard,
    [JsonStringEnumMemberName("redirect.response_parameter")] RedirectResponseParameter,
    [JsonStringEnumMemberName("redirect.http_not_loopback")] RedirectHttpNotLoopback,
    [JsonStringEnumMemberName("redirect.scheme_not_admitted")] RedirectSchemeNotAdmitted,
    [JsonStringEnumMemberName("redirect.not_admitted")] RedirectNotAdmitted,
    [JsonStringEnumMemberName("software_statement.unsupported")] SoftwareStatementUnsupported,
    [JsonStringEnumMemberName("registration.expired")] RegistrationExpired,
    [JsonStringEnumMemberName("registration.crowded_out")] RegistrationCrowdedOut,
    [JsonStringEnumMemberName("registration_token.missing")] RegistrationTokenMissing,
    [JsonStringEnumMemberName("registration_token.invalid")] RegistrationTokenInvalid,
    [JsonStringEnumMemberName("registration_token.misused")] RegistrationTokenMisused,

    // Authorization
    [JsonStringEnumMemberName("client.unknown")] ClientUnknown,
    [JsonStringEnumMemberName("client.disabled")] ClientDisabled,
    [JsonStringEnumMemberName("redirect.unregistered")] RedirectUnregistered,
    [JsonStringEnumMemberName("response_type.unsupported")] ResponseTypeUnsupported,
    [JsonStringEnumMemberName("response_mode.unsupported")] ResponseModeUnsupported,
    [JsonStringEnumMemberName("request_object.unsupported")] RequestObjectUnsupported,
    [JsonStringEnumMemberName("request_uri.unsupported")] RequestUriUnsupported,
    [JsonStringEnumMemberName("pkce.missing")] PkceMissing,
    [JsonStringEnumMemberName("pkce.not_s256")] PkceNotS256,
    [JsonStringEnumMemberName("pkce.malformed")] PkceMalformed,
    [JsonStringEnumMemberName("pkce.constant_challenge")] PkceConstantChallenge,
    [JsonStringEnumMemberName("scope.malformed")] ScopeMalformed,
    [JsonStringEnumMemberName("scope.exceeded")] ScopeExceeded,
    [JsonStringEnumMemberName("resource.unknown")] ResourceUnknown,
    [JsonStringEnumMemberName("prompt.none")] PromptNone,
    [JsonStringEnumMemberName("transaction.invalid")] TransactionInvalid,
    [JsonStringEnumMemberName("transaction.expired")] TransactionExpired,
    [JsonStringEnumMemberName("transaction.used")] TransactionUsed,
    [JsonStringEnumMemberName("antiforgery.invalid")] AntiforgeryInvalid,
    [JsonStringEnumMemberName("decision.missing")] DecisionMissing,

    // Sign-in
    [JsonStringEnumMemberName("credentials.wrong")] CredentialsWrong,
    [JsonStringEnumMemberName("password.unsuitable")] PasswordUnsuitable,
    [JsonStringEnumMemberName("name.unsuitable")] NameUnsuitable,
    [JsonStringEnumMemberName("name.taken")] NameTaken,
    [JsonStringEnumMemberName("enrolment.invalid")] EnrolmentInvalid,

    // Sign-in by a provider
    [JsonStringEnumMemberName("provider.unknown")] ProviderUnknown,
    [JsonStringEnumMemberName("provider.unreachable")] ProviderUnreachable,
    [JsonStringEnumMemberName("provider.redirected")] ProviderRedirected,
    [JsonStringEnumMemberName("provider.refused")] ProviderRefused,
    [JsonStringEnumMemberName("provider.answer_too_large")] ProviderAnswerTooLarge,
    [JsonStringEnumMemberName("provider.answer_invalid")] ProviderAnswerInvalid,
    [JsonStringEnumMemberName("provider.endpoint_refused")] ProviderEndpointRefused,
    [JsonStringEnumMemberName("provider.error")] ProviderError,
    [JsonStringEnumMemberName("provider.denied")] ProviderDenied,
    [JsonStringEnumMemberName("provider.state_missing")] ProviderStateMissing,
    [JsonStringEnumMemberName("provider.state_unknown")] ProviderStateUnknown,
    [JsonStringEnumMemberName("provider.state_of_another")] ProviderStateOfAnother,
    [JsonStringEnumMemberName("provider.state_used")] ProviderStateUsed,
    [JsonStringEnumMemberName("provider.state_expired")] ProviderStateExpired,
    [JsonStringEnumMemberName("provider.browser_foreign")] ProviderBrowserForeign,
    [JsonStringEnumMemberName("provider.issuer_mismatch")] ProviderIssuerMismatch,
    [JsonStringEnumMemberName("provider.code_missing")] ProviderCodeMissing,
    [JsonStringEnumMemberName("provider.token_missing")] ProviderTokenMissing,
    [JsonStringEnumMemberName("provider.token_invalid")] ProviderTokenInvalid,
    [JsonStringEnumMemberName("provider.signature_invalid")] ProviderSignatureInvalid,
    [JsonStringEnumMemberName("provider.audience_mismatch")] ProviderAudienceMismatch,
    [JsonStringEnumMemberName("provider.nonce_mismatch")] ProviderNonceMismatch,
    [JsonStringEnumMemberName("provider.token_expired")] ProviderTokenExpired,
    [JsonStringEnumMemberName("provider.token_from_future")] ProviderTokenFromFuture,
    [JsonStringEnumMemberName("provider.subject_invalid")] ProviderSubjectInvalid,
    [JsonStringEnumMemberName("provider.subject_mismatch")] ProviderSubjectMismatch,
    [JsonStringEnumMemberName("provider.email_unverified")] ProviderEmailUnverified,
    [JsonStringEnumMemberName("provider.user_not_admitted")] ProviderUserNotAdmitted,
    [JsonStringEnumMemberName("provider.user_removed")] ProviderUserRemoved,

    // Client authentication and grants
    [JsonStringEnumMemberName("client.unauthenticated")] ClientUnauthenticated,
    [JsonStringEnumMemberName("client.authenticated_twice")] ClientAuthenticatedTwice,
    [JsonStringEnumMemberName("grant_type.unsupported")] GrantTypeUnsupported,
    [JsonStringEnumMemberName("grant_type.unregistered")] GrantTypeUnregistered,
    [JsonStringEnumMemberName("code.unknown")] CodeUnknown,
    [JsonStringEnumMemberName("code.expired")] CodeExpired,
    [JsonStringEnumMemberName("code.reused")] CodeReused,
    [JsonStringEnumMemberName("code.of_another_client")] CodeOfAnotherClient,
    [JsonStringEnumMemberName("redirect.changed")] RedirectChanged,
    [JsonStringEnumMemberName("pkce.wrong")] PkceWrong,
    [JsonStringEnumMemberName("grant.revoked")] GrantRevoked,
    [JsonStringEnumMemberName("user.gone")] UserGone,
    [JsonStringEnumMemberName("refresh.unknown")] RefreshUnknown,
    [JsonStringEnumMemberName("refresh.expired")] RefreshExpired,
    [JsonStringEnumMemberName("refresh.reused")] RefreshReused,
    [JsonStringEnumMemberName("refresh.of_another_client")] RefreshOfAnotherClient,
    [JsonStringEnumMemberName("revoked.by_client")] RevokedByClient,
    [JsonStringEnumMemberName("revoked.by_user")] RevokedByUser,
    [JsonStringEnumMemberName("revoked.by_operator")] RevokedByOperator,
    [JsonStringEnumMemberName("client.redirects_changed")] ClientRedirectsChanged,
    [JsonStringEnumMemberName("introspection.not_admitted")] IntrospectionNotAdmitted,

    // Bearer tokens
    [JsonStringEnumMemberName("token.missing")] TokenMissing,
    [JsonStringEnumMemberName("token.in_query")] TokenInQuery,
    [JsonStringEnumMemberName("token.malformed")] TokenMalformed,
    [JsonStringEnumMemberName("token.forged")] TokenForged,
    [JsonStringEnumMemberName("token.unknown")] TokenUnknown,
    [JsonStringEnumMemberName("token.expired")] TokenExpired,
    [JsonStringEnumMemberName("token.revoked")] TokenRevoked,
    [JsonStringEnumMemberName("token.wrong_audience")] TokenWrongAudience,
    [JsonStringEnumMemberName("scope.insufficient")] ScopeInsufficient,

    // Sessions and messages
    [JsonStringEnumMemberName("session.unknown")] SessionUnknown,
    [JsonStringEnumMemberName("session.missing")] SessionMissing,
    [JsonStringEnumMemberName("session.of_another")] SessionOfAnother,
    [JsonStringEnumMemberName("session.limit")] SessionLimit,
    [JsonStringEnumMemberName("session.busy")] SessionBusy,
    [JsonStringEnumMemberName("session.stream_taken")] SessionStreamTaken,
    [JsonStringEnumMemberName("stream.unknown")] StreamUnknown,
    [JsonStringEnumMemberName("message.malformed")] MessageMalformed,
    [JsonStringEnumMemberName("message.batch")] MessageBatch,
    [JsonStringEnumMemberName("message.id_in_use")] MessageIdInUse,
    [JsonStringEnumMemberName("message.header_mismatch")] MessageHeaderMismatch,
    [JsonStringEnumMemberName("revision.unsupported")] RevisionUnsupported,
    [JsonStringEnumMemberName("closed.by_client")] ClosedByClient,
    [JsonStringEnumMemberName("closed.by_server")] ClosedByServer,
    [JsonStringEnumMemberName("closed.idle")] ClosedIdle,
    [JsonStringEnumMemberName("closed.gate_stopping")] ClosedGateStopping,

    // Upstreams
    [JsonStringEnumMemberName("upstream.unreachable")] UpstreamUnreachable,
    [JsonStringEnumMemberName("upstream.refused")] UpstreamRefused,
    [JsonStringEnumMemberName("upstream.redirected")] UpstreamRedirected,
    [JsonStringEnumMemberName("upstream.ended")] UpstreamEnded,
    [JsonStringEnumMemberName("upstream.timeout")] UpstreamTimeout,
    [JsonStringEnumMemberName("upstream.failed")] UpstreamFailed,
    [JsonStringEnumMemberName("upstream.malformed")] UpstreamMalformed,
    [JsonStringEnumMemberName("upstream.limit")] UpstreamLimit,
    [JsonStringEnumMemberName("upstream.backing_off")] UpstreamBackingOff,
    [JsonStringEnumMemberName("caller.left")] CallerLeft,
    [JsonStringEnumMemberName("record.late")] RecordLate,

    // The log
    [JsonStringEnumMemberName("anchor.unreachable")] AnchorUnreachable,
    [JsonStringEnumMemberName("anchor.refused")] AnchorRefused,
    [JsonStringEnumMemberName("revoked.by_restore")] RevokedByRestore,

    // As a witness for other logs
    [JsonStringEnumMemberName("checkpoint.malformed")] CheckpointMalformed,
    [JsonStringEnumMemberName("checkpoint.unknown_log")] CheckpointUnknownLog,
    [JsonStringEnumMemberName("checkpoint.unsigned")] CheckpointUnsigned,
    [JsonStringEnumMemberName("checkpoint.stale")] CheckpointStale,
    [JsonStringEnumMemberName("checkpoint.inconsistent")] CheckpointInconsistent,
}

/// <summary>The word of a reason, as the log has it.</summary>
public static class ReasonWords
{
    private static readonly Dictionary<Reason, string> s_words = Enum.GetValues<Reason>().ToDictionary(
        reason => reason,
        reason => typeof(Reason).GetField(reason.ToString())!.GetCustomAttribute<JsonStringEnumMemberNameAttribute>()!.Name);

    private static readonly Dictionary<string, Reason> s_reasons = s_words.ToDictionary(pair => pair.Value, pair => pair.Key, StringComparer.Ordinal);

    /// <summary>For instance <c>token.expired</c>.</summary>
    public static string Word(this Reason reason) => s_words[reason];

    /// <summary>Takes a word as <see cref="Word"/> gives it.</summary>
    internal static bool TryParse(string word, out Reason reason) => s_reasons.TryGetValue(word, out reason);
}
