using System.CommandLine;
using System.Globalization;
using Sallyport.Server.Audit;

namespace Sallyport.Log;

/// <summary>Which events a command is about. A leaf that is no event passes only where nothing is asked for.</summary>
internal sealed class EventFilter
{
    private static readonly Option<string[]> s_types = new("--type") { Description = "Only events of this type, like access.refused; may be repeated", HelpName = "TYPE" };
    private static readonly Option<string?> s_client = new("--client") { Description = "Only events that name this client", HelpName = "ID" };
    private static readonly Option<string?> s_subject = new("--subject") { Description = "Only events that name this user's id", HelpName = "ID" };
    private static readonly Option<string?> s_session = new("--session") { Description = "Only events that name this session", HelpName = "ID" };
    private static readonly Option<string?> s_since = new("--since") { Description = "Only events from this time on: 2026-11-24T16:00:00Z, or an age like 2h, 30m or 7d", HelpName = "TIME" };
    private static readonly Option<string?> s_until = new("--until") { Description = "Only events before this time", HelpName = "TIME" };

    private static readonly string[] s_formats = ["yyyy-MM-dd'T'HH:mm:ss.FFFFFFFzzz", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'"];

    private readonly HashSet<string> _types;
    private readonly (string Member, string? Value)[] _ids;
    private readonly DateTimeOffset? _since;
    private readonly DateTimeOffset? _until;

    private EventFilter(ParseResult parsed, TimeProvider time)
    {
        _types = [.. (parsed.GetValue(s_types) ?? []).Select(KnownType)];
        _ids = [.. new[] { ("client", parsed.GetValue(s_client)), ("subject", parsed.GetValue(s_subject)), ("session", parsed.GetValue(s_session)) }.Where(id => id.Item2 is not null)];
        _since = TimeOf(s_since, parsed, time);
        _until = TimeOf(s_until, parsed, time);
    }

    public static IReadOnlyList<Option> Options => [s_types, s_client, s_subject, s_session, s_since, s_until];

    private bool IsOpen => _types.Count == 0 && _ids.Length == 0 && _since is null && _until is null;

    /// <summary>Reads what was asked for.</summary>
    /// <exception cref="CommandFault">It makes no sense.</exception>
    public static EventFilter Of(ParseResult parsed, TimeProvider time) => new(parsed, time);

    public bool Matches(Leaf leaf) => IsOpen || Matches(new EventLine(leaf));

    private bool Matches(EventLine line)
    {
        if (line.Event is null || (_types.Count > 0 && !_types.Contains(line.Type!)))
            return false;
        if (_since is { } since && line.Time < since)
            return false;
        if (_until is { } until && line.Time >= until)
            return false;
        return _ids.All(id => line.Text(id.Member) == id.Value);
    }

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
