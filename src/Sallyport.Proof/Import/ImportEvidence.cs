using Sallyport.Proof.Report;

namespace Sallyport.Proof.Import;

/// <summary>All that an access log showed, to be judged and told.</summary>
internal sealed record ImportEvidence
{
    public required IReadOnlyList<ImportedFile> Files { get; init; }
    public required long Lines { get; init; }
    public required long Requests { get; init; }
    /// <summary>Lines in which the server says what it does.</summary>
    public required long Remarks { get; init; }
    /// <summary>Lines that are neither.</summary>
    public required long Unread { get; init; }
    /// <summary>The first of these.</summary>
    public required IReadOnlyList<long> PassedOver { get; init; }
    public required bool HasTimes { get; init; }
    /// <summary>Whether a line says where its request came from.</summary>
    public required bool HasCallers { get; init; }
    public required bool IsContinued { get; init; }
    public required (Count Done, Count Refused) Discovery { get; init; }
    public required (Count Done, Count Refused) Registration { get; init; }
    /// <summary>Requests for authorization, and browsers that came back with a code.</summary>
    public required (Count Done, Count Refused) Authorization { get; init; }
    /// <summary>Of these, the browsers that came back.</summary>
    public required Count Returned { get; init; }
    public required (Count Done, Count Refused) Exchange { get; init; }
    /// <summary>What is protected, the busiest first.</summary>
    public required IReadOnlyList<PathRecord> Guarded { get; init; }
    public required Count Allowed { get; init; }
    public required Count Blocked { get; init; }
    public required Count Forbidden { get; init; }
    /// <summary>Requests that the server said it processes.</summary>
    public required Count Handled { get; init; }
    public required Count ToolCalls { get; init; }
    /// <summary>Requests whose opening quote is lost.</summary>
    public required long Mended { get; init; }
    /// <summary>Requests for authorization.</summary>
    public required long Asked { get; init; }
    /// <summary>Of these, those with a challenge of S256.</summary>
    public required Count WithPkce { get; init; }
    /// <summary>Of these, those that name the server that the token is for (RFC 8707).</summary>
    public required Count WithResource { get; init; }
    /// <summary>Requests whose codes or session ids are in the log.</summary>
    public required Count WithSecrets { get; init; }
    /// <summary>Messages that were let in.</summary>
    public required long Posted { get; init; }
    public required long Sessions { get; init; }
    /// <summary>Messages in sessions that nobody was let in to open.</summary>
    public required Count Unopened { get; init; }
    /// <summary>Who was turned away and let in without a token having been given out: where, and the lines of both.</summary>
    public required (PathRecord Path, long Refused, long LetIn)? Unearned { get; init; }
    /// <summary>Exchanges that fit the flow of no client, or of several.</summary>
    public required long Untied { get; init; }

    /// <summary>Whether lines are missing, or were changed, by what the others say.</summary>
    public bool IsIncomplete => LacksMessages || Mended > 0;

    /// <summary>Whether the server says that it processed more than was sent to it.</summary>
    public bool LacksMessages => Handled.Total > Posted;

    /// <summary>Where somebody was let in, and nobody was ever turned away for want of a token.</summary>
    public IEnumerable<PathRecord> NeverBlocked => Guarded.Where(path => path.Allowed.Total > 0 && path.Blocked.Total == 0);

    /// <summary>
    /// Where somebody was let in without credentials, and the log shows credentials: there, or, where MCP is spoken, at another such place. A server that never logs them would seem to be asked without.
    /// </summary>
    public IEnumerable<PathRecord> LetInBare => Guarded.Where(path => path.Bare.Total > 0 && (path.Presented.Total > 0 || (path.Place == Place.Protected && ShowsCredentials)));

    /// <summary>Whether credentials are seen on requests to where MCP is spoken.</summary>
    public bool ShowsCredentials => Guarded.Any(path => path.Place == Place.Protected && path.Presented.Total > 0);

    /// <summary>Where somebody was let in, and somebody turned away: it does not let everybody in.</summary>
    public PathRecord? Distinguishing => Guarded.FirstOrDefault(path => path.Allowed.Total > 0 && path.Blocked.Total > 0);
}
