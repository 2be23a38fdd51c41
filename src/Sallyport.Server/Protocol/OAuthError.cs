using Sallyport.Proof.Events;

namespace Sallyport.Server.Protocol;

/// <summary>
/// The outer face of a <see cref="Reason"/>: one of OAuth's codes, its HTTP status where it is answered directly, and a sentence.
/// Descriptions keep to the characters of RFC 6749 §5.2 and never repeat input.
/// </summary>
internal sealed record OAuthError(string Code, int Status, string Description)
{
    /// <summary>The one mapping from reasons to the wire. A reason without a line of its own is a fault of ours.</summary>
    public static OAuthError For(Reason reason) => reason switch
    {
        Reason.TargetMalformed => new("invalid_request", 400, "The request target is not in normal form."),
        Reason.HostUnknown => new("invalid_request", 421, "This server does not go by that host name."),
        Reason.OriginForeign => new("access_denied", 403, "Requests from that origin are not admitted."),
        Reason.RouteUnknown => new("not_found", 404, "There is nothing here."),
        Reason.MethodNotAllowed => new("invalid_request", 405, "The method is not allowed here."),
        Reason.BodyTooLarge => new("invalid_request", 413, "The body is too large."),
        Reason.BodyMalformed => new("invalid_request", 400, "The body cannot be read."),
        Reason.ContentTypeUnsupported => new("invalid_request", 415, "The content type is not supported here."),
        Reason.ParameterMissing => new("invalid_request", 400, "A required parameter is missing."),
        Reason.ParameterRepeated => new("invalid_request", 400, "A parameter is given more than once."),
        Reason.ParameterInQuery => new("invalid_request", 400, "Parameters belong in the body, not in the query."),
        Reason.ParameterTooLong => new("invalid_request", 400, "A parameter is too long, or there are too many of them."),
        Reason.Fault => new("server_error", 500, "Something went wrong here. The operator can find this by its event id."),

        Reason.LimitSource or Reason.LimitClient or Reason.LimitAccount or Reason.LimitTotal
            => new("temporarily_unavailable", 429, "Too many requests; try again later."),

        Reason.RegistrationOff => new("not_found", 404, "Clients cannot register here; the operator adds them."),
        Reason.MetadataUriUnsuitable => new("invalid_client_metadata", 400, "A URI of the metadata is not http(s), or names an internal address."),
        Reason.RedirectMalformed => new("invalid_redirect_uri", 400, "It is no absolute URI of at most 2048 characters without user information and dot segments."),
        Reason.RedirectFragment => new("invalid_redirect_uri", 400, "It has a fragment."),
        Reason.RedirectWildcard => new("invalid_redirect_uri", 400, "It has a wildcard."),
        Reason.RedirectResponseParameter => new("invalid_redirect_uri", 400, "Its query has a parameter that a response carries."),
        Reason.RedirectHttpNotLoopback => new("invalid_redirect_uri", 400, "It is http, and not on loopback."),
        Reason.RedirectSchemeNotAdmitted => new("invalid_redirect_uri", 400, "Its scheme has no dot and is not admitted here."),
        Reason.RedirectNotAdmitted => new("invalid_redirect_uri", 400, "The operator admits known clients only, and it is none of theirs."),
        Reason.RegistrationExpired or Reason.RegistrationCrowdedOut => new("invalid_client", 401, "The client is not known here; register again."),
        Reason.RegistrationTokenMissing or Reason.RegistrationTokenInvalid or Reason.RegistrationTokenMisused
            => new("invalid_token", 401, "The registration access token is not valid for this client."),
        Reason.MetadataInvalid => new("invalid_client_metadata", 400, "The client metadata is not valid."),
        Reason.RedirectMissing => new("invalid_redirect_uri", 400, "At least one redirect URI is needed, and no more than 20."),
        Reason.RedirectUnsuitable => new("invalid_redirect_uri", 400, "No redirect URI is suitable: https, http on loopback, or a private-use scheme with a dot; no fragment, wildcard or user information."),
        Reason.RedirectForbiddenScheme => new("invalid_redirect_uri", 400, "A redirect URI has a scheme that is never admitted."),
        Reason.SoftwareStatementUnsupported => new("invalid_software_statement", 400, "Software statements are not supported."),

        Reason.ClientUnknown or Reason.ClientUnauthenticated => new("invalid_client", 401, "The client is not known here, or not authenticated; if it was removed, it has to register again."),
        // Not invalid_client, at which clients register anew.
        Reason.ClientDisabled => new("unauthorized_client", 400, "The operator of this server has disabled this client."),
        Reason.RedirectUnregistered => new("invalid_request", 400, "The redirect URI is not registered for this client."),
        Reason.ResponseTypeUnsupported => new("unsupported_response_type", 400, "Only the response type code is supported."),
        Reason.ResponseModeUnsupported => new("invalid_request", 400, "Only the response mode query is supported."),
        Reason.RequestObjectUnsupported => new("request_not_supported", 400, "Request objects are not supported."),
        Reason.RequestUriUnsupported => new("request_uri_not_supported", 400, "Request URIs are not supported."),
        Reason.PkceMissing => new("invalid_request", 400, "A code_challenge is required (PKCE)."),
        Reason.PkceNotS256 => new("invalid_request", 400, "The code_challenge_method has to be S256."),
        Reason.PkceMalformed => new("invalid_request", 400, "The code_challenge is not 43 characters of base64url."),
        Reason.PkceConstantChallenge => new("invalid_request", 400, "The client sends the same code_challenge again and again."),
        Reason.ScopeMalformed => new("invalid_scope", 400, "The scope has a character that no scope may have."),
        Reason.ScopeExceeded => new("invalid_scope", 400, "The scope is wider than what was granted."),
        Reason.ResourceUnknown => new("invalid_target", 400, "The resource is not one of this server's."),
        Reason.PromptNone => new("interaction_required", 400, "The user has to sign in and consent here."),
        Reason.TransactionInvalid => new("invalid_request", 400, "This page does not belong to a sign-in that was started here."),
        Reason.TransactionExpired => new("invalid_request", 400, "This sign-in was started too long ago."),
        Reason.TransactionUsed => new("invalid_request", 400, "This sign-in has already been completed."),
        Reason.AntiforgeryInvalid => new("invalid_request", 400, "This form was not opened in this browser, or its cookies were blocked."),
        Reason.DecisionMissing => new("invalid_request", 400, "The form lacks a decision."),

        Reason.CredentialsWrong => new("access_denied", 401, "User name or password is wrong."),
        Reason.PasswordUnsuitable => new("invalid_request", 400, "A password has 8 to 256 characters."),
        Reason.NameUnsuitable => new("invalid_request", 400, "A user name has 1 to 64 letters, digits or any of -._@+"),
        Reason.NameTaken => new("invalid_request", 400, "There is a user of that name already."),
        Reason.EnrolmentInvalid => new("access_denied", 403, "This link is not good, or no longer: somebody is the owner already, or the gate has been started again and has made a new one."),

        Reason.ProviderUnknown => new("invalid_request", 400, "There is no such sign-in provider here."),
        Reason.ProviderUnreachable => new("temporarily_unavailable", 502, "The sign-in provider did not answer, or not in time."),
        Reason.ProviderRedirected or Reason.ProviderRefused or Reason.ProviderAnswerTooLarge or Reason.ProviderAnswerInvalid
            or Reason.ProviderEndpointRefused
            => new("temporarily_unavailable", 502, "The sign-in provider gave an answer that cannot be relied on."),
        Reason.ProviderError => new("temporarily_unavailable", 502, "The sign-in provider reports an error."),
        Reason.ProviderDenied => new("access_denied", 403, "The sign-in was denied at the provider."),
        Reason.ProviderStateMissing or Reason.ProviderStateUnknown or Reason.ProviderStateOfAnother
            or Reason.ProviderStateUsed or Reason.ProviderStateExpired
            => new("invalid_request", 400, "This is no answer to a sign-in that was started here and is still open."),
        Reason.ProviderBrowserForeign => new("access_denied", 403, "This sign-in was started in another browser, or its cookies were blocked."),
        Reason.ProviderIssuerMismatch or Reason.ProviderCodeMissing or Reason.ProviderTokenMissing
            or Reason.ProviderTokenInvalid or Reason.ProviderSignatureInvalid or Reason.ProviderAudienceMismatch
            or Reason.ProviderNonceMismatch or Reason.ProviderTokenExpired or Reason.ProviderTokenFromFuture
            or Reason.ProviderSubjectInvalid or Reason.ProviderSubjectMismatch
            => new("access_denied", 502, "The sign-in provider gave an answer that cannot be relied on."),
        Reason.ProviderEmailUnverified or Reason.ProviderUserNotAdmitted or Reason.ProviderUserRemoved
            => new("access_denied", 403, "You are signed in at the provider, but that account may not use this server."),

        Reason.ClientAuthenticatedTwice => new("invalid_request", 400, "The client authenticates in more than one way."),
        Reason.GrantTypeUnsupported => new("unsupported_grant_type", 400, "The grant type is not supported."),
        Reason.GrantTypeUnregistered => new("unauthorized_client", 400, "The client is not registered for this grant type."),
        Reason.CodeUnknown or Reason.CodeExpired or Reason.CodeReused or Reason.CodeOfAnotherClient or Reason.RedirectChanged
            or Reason.PkceWrong => new("invalid_grant", 400, "The code is not valid: unknown, expired, used, or not for this request."),
        Reason.RefreshUnknown or Reason.RefreshExpired or Reason.RefreshReused or Reason.RefreshOfAnotherClient
            => new("invalid_grant", 400, "The refresh token is not valid: unknown, expired, used, or not this client's."),
        Reason.GrantRevoked or Reason.UserGone or Reason.RevokedByRestore => new("invalid_grant", 400, "The grant is no longer valid."),
        Reason.RevokedByClient or Reason.RevokedByUser or Reason.RevokedByOperator or Reason.ClientRedirectsChanged => new("invalid_grant", 400, "The grant is no longer valid."),

        Reason.IntrospectionNotAdmitted => new("unauthorized_client", 403, "Only clients that the operator added may ask about tokens."),

        Reason.TokenMissing or Reason.TokenInQuery => new("invalid_request", 401, "An access token is needed, in the Authorization header."),
        Reason.TokenExpired => new("invalid_token", 401, "The access token has expired."),
        Reason.TokenMalformed or Reason.TokenForged or Reason.TokenUnknown or Reason.TokenRevoked or Reason.TokenWrongAudience
            => new("invalid_token", 401, "The access token is not valid here."),
        Reason.ScopeInsufficient => new("insufficient_scope", 403, "The access token lacks a scope that this needs."),

        Reason.SessionUnknown or Reason.SessionOfAnother => new("not_found", 404, "There is no such session; start a new one."),
        Reason.SessionMissing => new("invalid_request", 400, "A session id is needed; start with initialize."),
        Reason.SessionLimit => new("temporarily_unavailable", 429, "Too many sessions or requests are open."),
        Reason.SessionBusy => new("temporarily_unavailable", 429, "Too many requests of this session wait for their answers, or one has this id."),
        Reason.SessionStreamTaken => new("invalid_request", 409, "This session has its stream already."),
        Reason.StreamUnknown => new("not_found", 404, "There is no such stream to go on with."),
        Reason.MessageMalformed => new("invalid_request", 400, "The body is not one JSON-RPC message that every reader reads alike."),
        Reason.MessageBatch => new("invalid_request", 400, "A batch has 1 to 100 messages, no initialize among them, and belongs to revision 2025-03-26."),
        Reason.MessageIdInUse => new("invalid_request", 400, "A request with this id is still being answered."),
        Reason.MessageHeaderMismatch => new("invalid_request", 400, "A header contradicts the body."),
        Reason.RevisionUnsupported => new("invalid_request", 400, "This revision of the protocol is not supported here."),
        Reason.ClosedByClient or Reason.ClosedByServer or Reason.ClosedIdle or Reason.ClosedGateStopping
            => new("not_found", 404, "There is no such session; start a new one."),

        Reason.UpstreamLimit => new("temporarily_unavailable", 503, "As many servers run behind this gate as may; close a session, or try again later."),
        Reason.UpstreamBackingOff => new("temporarily_unavailable", 503, "The server behind this gate has just ended several times; try again in a minute."),
        Reason.UpstreamUnreachable or Reason.UpstreamRefused or Reason.UpstreamRedirected or Reason.UpstreamEnded
            or Reason.UpstreamTimeout or Reason.UpstreamFailed or Reason.UpstreamMalformed
            => new("temporarily_unavailable", 502, "The server behind this gate gave no usable answer."),
        Reason.AnchorUnreachable or Reason.AnchorRefused => new("temporarily_unavailable", 503, "The gate is closed for now."),
        Reason.RecordLate => new("temporarily_unavailable", 503, "The gate is closed for now."),
        Reason.CheckpointMalformed => new("invalid_request", 400, "The body is not an old size, a proof and a checkpoint, or the old size is the larger one."),
        Reason.CheckpointUnknownLog => new("not_found", 404, "This witness does not know that log."),
        Reason.CheckpointUnsigned => new("access_denied", 403, "The checkpoint is not signed by a key that this witness knows for that log."),
        Reason.CheckpointStale => new("invalid_request", 409, "The old size is not that of the newest checkpoint that this witness has cosigned."),
        Reason.CheckpointInconsistent => new("invalid_request", 422, "The checkpoint is not shown to go on from the newest one that this witness has cosigned."),
        Reason.CallerLeft => new("invalid_request", 499, "The caller left."),
        _ => throw new ArgumentOutOfRangeException(nameof(reason), reason, "a reason without an outer face"),
    };
}
