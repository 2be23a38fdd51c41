namespace Sallyport.Proof.Findings;

/// <summary>From when on something is a finding, all in one place. docs/findings.md gives the reason of each, and a test holds the two together.</summary>
internal static class Thresholds
{
    /// <summary>Refusals of one source.</summary>
    public const int Refusals = 200;

    /// <summary>Refusals of all sources together, those that are not known among them.</summary>
    public const int RefusalsInAll = 2_000;

    public static readonly TimeSpan RefusalSpan = TimeSpan.FromMinutes(5);

    /// <summary>New clients of one source.</summary>
    public const int Registrations = 50;

    public const int RegistrationsInAll = 300;

    public static readonly TimeSpan RegistrationSpan = TimeSpan.FromMinutes(10);

    /// <summary>Steps between two networks that had both been used shortly before.</summary>
    public const int NetworkReturns = 6;

    public static readonly TimeSpan NetworkSpan = TimeSpan.FromMinutes(10);

    /// <summary>A network that so many users of one client come from is not a single user's.</summary>
    public const int UsersOfSharedNetwork = 3;

    /// <summary>Sessions of others that one caller asked for.</summary>
    public const int OthersSessions = 3;

    /// <summary>Sessions that there are not: twice as many as one caller can have had, so that a start of the gate, which ends them all, is none.</summary>
    public const int UnknownSessions = 200;

    public static readonly TimeSpan SessionSpan = TimeSpan.FromMinutes(10);

    /// <summary>So many times the busiest hour of the week before.</summary>
    public const int Growth = 10;

    /// <summary>Calls of an hour that are few, whatever there were before.</summary>
    public const int GrowthFrom = 1_000;

    /// <summary>The days whose busiest hour a client's or a tool's is held against.</summary>
    public const int GrowthDays = 7;

    /// <summary>Refusals of one user's and client's expired tokens, without another token in between.</summary>
    public const int ExpiredReplays = 20;

    public static readonly TimeSpan ExpiredSpan = TimeSpan.FromHours(1);

    /// <summary>A client that has many requests under way gets many refusals at once, and then a token.</summary>
    public static readonly TimeSpan ExpiredLeast = TimeSpan.FromMinutes(1);

    /// <summary>Requests for authorization of one client, without a code: people think better of it.</summary>
    public const int Authorizations = 20;

    /// <summary>Codes of one client, or tokens for codes, that nothing came of.</summary>
    public const int Unfinished = 5;

    public static readonly TimeSpan FunnelSpan = TimeSpan.FromDays(1);

    /// <summary>What is under way may still come.</summary>
    public static readonly TimeSpan FunnelLeast = TimeSpan.FromMinutes(5);

    /// <summary>The same thing is not raised again before, and not by what else is of an hour: floods and probes.</summary>
    public static readonly TimeSpan ShortRest = TimeSpan.FromHours(1);

    /// <summary>Likewise of what goes on for days until somebody mends it.</summary>
    public static readonly TimeSpan LongRest = TimeSpan.FromDays(1);

    /// <summary>Findings of one rule in an hour, whatever they are about: who has many addresses must not fill the log.</summary>
    public const int MostPerHour = 20;

    /// <summary>Each rule's memory: so many sources, callers, clients or tools, those that came last.</summary>
    public const int Remembered = 2_000;

    /// <summary>A clock that was set back further than this begins all counts anew.</summary>
    public static readonly TimeSpan ClockNoise = TimeSpan.FromMinutes(1);

    /// <summary>The longest that any rule looks back.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromDays(GrowthDays + 1);
}
