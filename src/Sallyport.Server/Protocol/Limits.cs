namespace Sallyport.Server.Protocol;

/// <summary>The limit of each input, in one place. Sizes in bytes, lengths in characters.</summary>
internal static class Limits
{
    /// <summary>A request line; room for a state of 8,192 characters and the transaction sealed around it.</summary>
    public const int RequestLineBytes = 24 * 1024;
    public const int RequestHeadersBytes = 32 * 1024;
    public const int FormBytes = 8 * 1024;
    /// <summary>Pages' forms carry the sealed transaction.</summary>
    public const int PageFormBytes = 32 * 1024;
    public const int RegistrationBytes = 16 * 1024;
    /// <summary>The answer to whoever reads the metrics.</summary>
    public const int ScrapeBytes = 16 * 1024 * 1024;
    public const int MessageBytes = 4 * 1024 * 1024;
    public const int MessageDepth = 64;
    /// <summary>A JSON-RPC id, method or name that is compared or recorded.</summary>
    public const int MessageTextLength = 256;

    /// <summary>As a witness: an old size, a proof of 63 hashes, and a signed note of 64 KiB.</summary>
    public const int AddCheckpointBytes = 68 * 1024;
    /// <summary>Of a checkpoint without its signatures; its event has to fit a leaf, where a character may take six bytes.</summary>
    public const int CheckpointLength = 4_096;

    /// <summary>Anything that an identity provider answers the gate itself.</summary>
    public const int ProviderAnswerBytes = 256 * 1024;
    /// <summary>OpenID Connect Core §2.</summary>
    public const int ProviderSubjectLength = 255;
    public const int EmailLength = 254;
    public const int DisplayNameLength = 100;

    public const int StateLength = 8_192;
    public const int ParameterLength = 2_048;
    public const int ParametersPerRequest = 64;
    /// <summary>Codes of one client under the same challenge; whoever sends it so often does not make it anew (RFC 9700 §2.1.1).</summary>
    public const int CodesPerChallenge = 100;
    /// <summary>Of one user, at one moment; beyond, they are asked each time.</summary>
    public const int RememberedConsents = 100;
    public const int RedirectUris = 20;
    /// <summary>Of one registration; its event has to fit a leaf, where a character may take six bytes.</summary>
    public const int RedirectUrisTotalLength = 8_192;
    public const int ClientNameLength = 200;
    /// <summary>Registrations that nobody has allowed anything yet; beyond, the oldest make room.</summary>
    public const int UnconfirmedClients = 10_000;
    /// <summary>Browsers that were sent to identity providers, and what is remembered of those that came back; beyond, the oldest make room.</summary>
    public const int ProviderSignIns = 10_000;
    /// <summary>In a minute, from one source.</summary>
    public const int FailedSignInsPerAccount = 10;
    public const int WaitingPasswordsPerSource = 60;
    /// <summary>Each of another source.</summary>
    public const int WaitingPasswords = 1_000;
    /// <summary>In a minute, from one source.</summary>
    public const int WrongSecretsPerClient = 20;
    /// <summary>In a minute: so many may a resource server ask about that are not good.</summary>
    public const int UnknownTokensPerClient = 600;
    /// <summary>In a minute, from one source, without a token that there is: so many have an event each, and the others are counted.</summary>
    public const int RefusalsPerSource = 3_000;
    public const int PasswordMinLength = 8;
    public const int PasswordMaxLength = 256;
    public const int UserNameLength = 64;
    public const int LoggedTextLength = 256;

    public const int SessionsPerPrincipal = 100;
    public const int Sessions = 10_000;
    /// <summary>Relayed at one moment: a stream for each session, and calls.</summary>
    public const int OpenRequestsPerPrincipal = 256;
    /// <summary>Messages from an upstream that wait for a slow or absent reader; beyond, the upstream waits.</summary>
    public const int WaitingMessages = 64;
    /// <summary>Messages of one batch (revision 2025-03-26).</summary>
    public const int BatchMessages = 100;
    /// <summary>Of an event's id as an upstream gives it, and of a session's.</summary>
    public const int UpstreamIdLength = 1_024;
    /// <summary>Messages that wait because the server of their session does not read them, in bytes.</summary>
    public const int UnsentBytes = 2 * MessageBytes;
    /// <summary>Requests of one HTTP+SSE session that wait for their answers.</summary>
    public const int UnansweredRequests = 256;
}
