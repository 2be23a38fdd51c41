using System.CommandLine;
using System.Globalization;
using Sallyport.Proof.Report;
using Sallyport.Server.Audit;
using Sallyport.Server.Audit.Index;

namespace Sallyport.Log;

/// <summary>Which events a command is about. A leaf that is no event passes only where nothing is asked for.</summary>
internal sealed class EventFilter
{
    private static readonly Option<string[]> s_types = new("--type") { Description = "Only events of this type, like access.refused; may be repeated", HelpName = "TYPE" };
    public static readonly Option<string?> Client = new("--client") { Description = "Only events that name this client", HelpName = "ID" };
    public static readonly Option<string?> Subject = new("--subject") { Description = "Only events that name this user's id", HelpName = "ID" };
    private static readonly Option<string?> s_session = new("--session") { Description = "Only events that name this session", HelpName = "ID" };
    public static readonly Option<string?> Since = new("--since") { Description = "Only events from this time on: 2026-11-24T16:00:00Z, or an age like 2h, 30m or 7d", HelpName = "TIME" };
    public static readonly Option<string?> Until = new("--until") { Description = "Only events before this time", HelpName = "TIME" };

    private static readonly string[] s_formats = ["yyyy-MM-dd'T'HH:mm:ss.FFFFFFFzzz", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'"];

    private EventFilter(ParseResult parsed, TimeProvider time) => Query = new()
    {
        Types = [.. (parsed.GetValue(s_types) ?? []).Select(KnownType)],
        Client = parsed.GetValue(Client),
        Subject = parsed.GetValue(Subject),
        Session = parsed.GetValue(s_session),
        Since = TimeOf(Since, parsed, time),
        Until = TimeOf(Until, parsed, time),
    };

    public static IReadOnlyList<Option> Options => [s_types, Client, Subject, s_session, Since, Until];

    /// <summary>What to look for. <see cref="Matches(Leaf)"/> decides about what is found.</summary>
    public EventQuery Query { get; }

    /// <summary>Reads what was asked for.</summary>
    /// <exception cref="CommandFault">It makes no sense.</exception>
    public static EventFilter Of(ParseResult parsed, TimeProvider time) => new(parsed, time);

    /// <summary>The same, of a report.</summary>
    /// <exception cref="CommandFault">It makes no sense.</exception>
    public static ReportScope ScopeOf(ParseResult parsed, TimeProvider time) => new()
    {
        Client = parsed.GetValue(Client),
        Subject = parsed.GetValue(Subject),
        Since = TimeOf(Since, parsed, time),
        Until = TimeOf(Until, parsed, time),
    };

    public bool Matches(Leaf leaf) => Query.IsOpen || Matches(new EventLine(leaf));

    private bool Matches(EventLine line) =>
        line.Event is not null
        && (Query.Types.Count == 0 || Query.Types.Contains(line.Type!))
        && !(line.Time < Query.Since) && !(line.Time >= Query.Until)
        && Has(line, "client", Query.Client) && Has(line, "subject", Query.Subject) && Has(line, "session", Query.Session);

    private static bool Has(EventLine line, string member, string? value) => value is null || line.Text(member) == value;

    private static string KnownType(string type) => EventTypes.All.Contains(type)
        ? type
        : throw new CommandFault(ExitCode.Usage, $"There is no type of events called '{type}'", $"There are: {string.Join(", ", EventTypes.All)}");

    private static DateTimeOffset? TimeOf(Option<string?> option, ParseResult parsed, TimeProvider time)
    {
        if (parsed.GetValue(option) is not { } text)
            return null;
        return ParseTime(text, time.GetUtcNow())
            ?? throw new CommandFault(ExitCode.Usage, $"'{text}' is no time for {option.Name}", "Write 2026-11-24T16:00:00Z, with its offset, or an age like 90s, 30m, 2h or 7d");
    }

    /// <summary>RFC 3339, or how long before now.</summary>
    internal static DateTimeOffset? ParseTime(string text, DateTimeOffset now)
    {
        // An offset has to be there: which time it is must not depend on the machine.
        if (DateTimeOffset.TryParseExact(text.ToUpperInvariant(), s_formats, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at))
            return at;
        if (text.Length < 2 || !int.TryParse(text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out var count))
            return null;
        var unit = text[^1] switch { 's' => 1L, 'm' => 60, 'h' => 3600, 'd' => 86_400, _ => 0 };
        var seconds = count * unit;
        return unit > 0 && seconds < (now - DateTimeOffset.MinValue).TotalSeconds ? now.AddSeconds(-seconds) : null;
    }
}
