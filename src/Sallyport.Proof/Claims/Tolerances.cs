namespace Sallyport.Proof.Claims;

/// <summary>How exact the claims are. docs/claims.md says why.</summary>
internal static class Tolerances
{
    /// <summary>How old a decision's view of the state may be (DESIGN: "a decision lags by 1 s at most").</summary>
    public static readonly TimeSpan Lag = TimeSpan.FromSeconds(1);

    /// <summary>How far an event's stamp may lie from its place in the log: it is stamped when it is made, and written when the disk has let it.</summary>
    public static readonly TimeSpan Stamp = TimeSpan.FromSeconds(5);

    /// <summary>How long a refresh token that was used gives its successor again.</summary>
    public static readonly TimeSpan RefreshGrace = TimeSpan.FromSeconds(30);

    /// <summary>An access without an outcome for so long, at a gate that runs, is one whose outcome is missing.</summary>
    public static readonly TimeSpan Outcome = TimeSpan.FromHours(1);

    /// <summary>How long a request for authorization, or a consent, is remembered that leads to nothing.</summary>
    public static readonly TimeSpan Unfinished = TimeSpan.FromDays(1);

    /// <summary>How long a sign-in can lead to consents.</summary>
    public static readonly TimeSpan SignIn = TimeSpan.FromDays(31);
}
