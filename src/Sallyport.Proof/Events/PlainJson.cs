using System.Buffers;
using System.Buffers.Text;
using System.Text;
using System.Text.Json;

namespace Sallyport.Proof.Events;

/// <summary>
/// The rest of an event that is read from the front to the back, in the very form that a gate writes: its members in their order, nothing between
/// them, and no escapes. Where something stands otherwise, nothing is left from there on, and whoever asks finds that it is no such event.
/// </summary>
internal ref struct PlainJson(ReadOnlySpan<byte> rest)
{
    /// <summary>What stands for itself in a text of JSON.</summary>
    private static readonly SearchValues<byte> s_plain = SearchValues.Create([.. Enumerable.Range(' ', '~' - ' ' + 1).Select(c => (byte)c).Where(c => c is not ((byte)'"' or (byte)'\\'))]);

    private ReadOnlySpan<byte> _rest = rest;

    /// <summary>Whether only the end of the object is left.</summary>
    public readonly bool IsAtEnd => _rest.SequenceEqual("}"u8);

    /// <summary>Takes what has to stand here.</summary>
    public void Skip(ReadOnlySpan<byte> expected) => _rest = _rest.StartsWith(expected) ? _rest[expected.Length..] : default;

    /// <param name="before">What stands before the text, its opening quote included.</param>
    public string Text(ReadOnlySpan<byte> before)
    {
        Skip(before);
        return Encoding.Latin1.GetString(Raw());
    }

    /// <inheritdoc cref="Text"/>
    /// <returns>Null where something else stands here.</returns>
    public string? TextIfAny(ReadOnlySpan<byte> before) => _rest.StartsWith(before) ? Text(before) : null;

    /// <param name="before">What stands before the list, its opening bracket included.</param>
    public IReadOnlyList<string> Texts(ReadOnlySpan<byte> before)
    {
        var texts = new List<string>();
        for (Skip(before); HasItem(texts.Count > 0);)
            texts.Add(Text("\""u8));
        return texts;
    }

    /// <inheritdoc cref="Texts"/>
    /// <returns>Null where something else stands here.</returns>
    public IReadOnlyList<string>? TextsIfAny(ReadOnlySpan<byte> before) => _rest.StartsWith(before) ? Texts(before) : null;

    /// <inheritdoc cref="Texts"/>
    public IReadOnlyList<AccessFailure> Failures(ReadOnlySpan<byte> before)
    {
        var failures = new List<AccessFailure>();
        for (Skip(before); HasItem(failures.Count > 0); Skip("}"u8))
            failures.Add(new(Text("{\"access\":\""u8), Reason(",\"reason\":\""u8)));
        return failures;
    }

    /// <inheritdoc cref="Text"/>
    public Reason Reason(ReadOnlySpan<byte> before)
    {
        if (!ReasonWords.TryParse(Text(before), out var reason))
            _rest = default;
        return reason;
    }

    /// <param name="before">What stands before the time, but for its opening quote.</param>
    public DateTimeOffset Time(ReadOnlySpan<byte> before)
    {
        Skip(before);
        var quoted = _rest;
        Skip("\""u8);
        var length = Raw().Length + 2;
        if (_rest.IsEmpty)
            return default;
        // By the rules of the serializer.
        var reader = new Utf8JsonReader(quoted[..length]);
        if (reader.Read() && reader.TryGetDateTimeOffset(out var time))
            return time;
        _rest = default;
        return default;
    }

    /// <param name="before">What stands before the number.</param>
    public long Number(ReadOnlySpan<byte> before, long most = long.MaxValue)
    {
        Skip(before);
        // JSON has neither a plus nor zeros before other digits, and no event of these a number below zero.
        if (!Utf8Parser.TryParse(_rest, out long number, out var length) || !char.IsAsciiDigit((char)_rest[0]) || (_rest[0] == '0' && length > 1) || number > most)
            length = _rest.Length;
        _rest = _rest[length..];
        return number;
    }

    /// <summary>Takes a text to its closing quote.</summary>
    private ReadOnlySpan<byte> Raw()
    {
        var length = _rest.IndexOfAnyExcept(s_plain);
        if (length < 0 || _rest[length] != '"')
        {
            _rest = default;
            return default;
        }
        var raw = _rest[..length];
        _rest = _rest[(length + 1)..];
        return raw;
    }

    /// <summary>Takes what stands before a list's next item, or its end.</summary>
    private bool HasItem(bool isBehindAnother)
    {
        if (_rest.StartsWith("]"u8))
        {
            _rest = _rest[1..];
            return false;
        }
        if (isBehindAnother)
            Skip(","u8);
        return !_rest.IsEmpty;
    }
}
