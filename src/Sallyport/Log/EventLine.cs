using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Sallyport.Proof;
using Sallyport.Server.Audit;
using Sallyport.Server.Audit.Values;

namespace Sallyport.Log;

/// <summary>A leaf as commands show it. The log may be anybody's by now: what is no event is shown too, and harms nobody.</summary>
internal sealed class EventLine
{
    private static readonly string[] s_shownFirst = ["type", "id", "time", "elapsed"];

    /// <summary>No event is deeper; whatever is translated from it gets a little deeper.</summary>
    private const int MaxDepth = 32;

    private readonly byte[] _leaf;

    public EventLine(Leaf source)
    {
        var (number, leaf) = source;
        (Number, _leaf) = (number, leaf);
        try
        {
            RequireUnicode(leaf);
            var root = JsonElement.Parse(leaf, new() { MaxDepth = MaxDepth });
            (Type, Id, Time) = (root.GetProperty("type").GetString(), root.GetProperty("id").GetString(), root.GetProperty("time").GetDateTimeOffset());
            if (Type is not null && Id is not null)
                Event = root;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
        }
    }

    public long Number { get; }

    /// <summary>The event; null where the leaf is none.</summary>
    public JsonElement? Event { get; }

    public string? Type { get; }
    public string? Id { get; }
    public DateTimeOffset Time { get; }

    /// <summary>
    /// For people. Values stand as the leaf has them, JSON-escaped and in ASCII: nothing in them can move the cursor, end the line or
    /// pass for another value. Commitments are opened where they can be.
    /// </summary>
    public string ForPeople(ValueReader? values = null)
    {
        if (Event is not { } root)
            return string.Create(CultureInfo.InvariantCulture, $"{Number,6}  (no event)  {Encoding.UTF8.GetString(_leaf).ToPrintable()}");
        var line = new StringBuilder().Append(CultureInfo.InvariantCulture, $"{Number,6}  {Time.UtcDateTime:yyyy-MM-dd HH:mm:ss.fff}Z  {Shown(Type!),-21}");
        foreach (var member in root.EnumerateObject().Where(member => !s_shownFirst.Contains(member.Name)))
            line.Append(' ').Append(Shown(member.Name)).Append('=').Append(values?.Shown(Type!, member) ?? Shown(member.Value));
        return line.Append(" id=").Append(Shown(Id!)).ToString().ToPrintable();
    }

    /// <summary>
    /// For programs: <c>{"number":…,"event":…}</c> with the very bytes of the leaf, or <c>{"number":…,"leaf":"…"}</c>, in base64, where
    /// it is not an event on one line. With <paramref name="values"/>, what its commitments stand for comes as <c>"values"</c>.
    /// </summary>
    public string ForPrograms(ValueReader? values = null)
    {
        var number = Number.ToString(CultureInfo.InvariantCulture);
        return Event is { } root && !_leaf.AsSpan().ContainsAnyInRange((byte)0, (byte)0x1f)
            ? $"{{\"number\":{number},\"event\":{Encoding.UTF8.GetString(_leaf)}{values?.Members(Type!, root)}}}"
            : $"{{\"number\":{number},\"leaf\":\"{Convert.ToBase64String(_leaf)}\"}}";
    }

    /// <summary>A member's text; null where it has none.</summary>
    public string? Text(string member) =>
        Event is { } root && root.TryGetProperty(member, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    /// <summary>JSON can have names and texts that are none, which nobody could write again.</summary>
    private static void RequireUnicode(byte[] leaf)
    {
        if (!Utf8.IsValid(leaf))
            throw new JsonException("It is no UTF-8");
        var reader = new Utf8JsonReader(leaf, new JsonReaderOptions { MaxDepth = MaxDepth });
        while (reader.Read())
        {
            if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName && reader.ValueIsEscaped)
                _ = reader.GetString();
        }
    }

    /// <summary>A plain word goes without its quotes.</summary>
    private static string Shown(JsonElement value)
    {
        var raw = value.GetRawText();
        return value.ValueKind == JsonValueKind.String && raw.Length > 2 && IsPlain(raw[1..^1]) ? raw[1..^1] : raw;
    }

    private static string Shown(string text) => IsPlain(text) ? text : $"\"{JsonEncodedText.Encode(text)}\"";

    private static bool IsPlain(string word) => word.AsSpan().IndexOfAnyExceptInRange('!', '~') < 0 && word.AsSpan().IndexOfAny('\\', '=', '"') < 0;
}
