namespace Sallyport;

/// <summary>What a command ends with. 0 to 3 belong to verdicts; the rest follow sysexits.h.</summary>
public enum ExitCode
{
    /// <summary>Done; of a report: enforced.</summary>
    Success = 0,

    /// <summary>Of a report: bypassed. Of <c>try</c>: the gate gave an answer that it must not give.</summary>
    Bypassed = 1,

    /// <summary>Of a report: not proven.</summary>
    NotProven = 2,

    /// <summary>Of a report or a verification: tampered.</summary>
    Tampered = 3,

    /// <summary>The command line or the configuration is wrong.</summary>
    Usage = 64,

    /// <summary>What was given to the command was refused.</summary>
    RefusedInput = 65,

    /// <summary>Something that the command needs is not to be had: a port, the data directory, the gate.</summary>
    Unavailable = 69,

    /// <summary>A fault of Sallyport's own.</summary>
    Fault = 70,
}
