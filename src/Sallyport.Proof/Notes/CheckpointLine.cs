using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Unicode;

namespace Sallyport.Proof.Notes;

/// <summary>A checkpoint on a line of its own: the note as a JSON string, <c>{"checkpoint":"…"}</c>. So it is printed, kept and anchored.</summary>
public static class CheckpointLine
{
    /// <summary>No line is longer, in bytes: JSON writes some of a note's as six.</summary>
    public const int MaxLength = 6 * SignedNote.MaxBytes;

    /// <summary>Without its newline.</summary>
    public static string Format(SignedNote note) =>
        JsonSerializer.Serialize(new CheckpointLineBody(note.ToString()), CheckpointLineContext.Default.CheckpointLineBody);

    /// <summary>Reads a line; false when it is none of these.</summary>
    public static bool TryParse(string line, out SignedNote note)
    {
        note = null!;
        return line.Length <= MaxLength && TryParse(Encoding.UTF8.GetBytes(line), out note);
    }

    /// <summary>Reads a line of a file, in UTF-8.</summary>
    public static bool TryParse(ReadOnlySpan<byte> line, out SignedNote note)
    {
        note = null!;
        if (line.Length > MaxLength || !line.StartsWith("{"u8) || !Utf8.IsValid(line))
            return false;
        try
        {
            return JsonSerializer.Deserialize(line, CheckpointLineContext.Default.CheckpointLineBody)?.Checkpoint is { } text
                && SignedNote.TryParse(Encoding.UTF8.GetBytes(text), out note);
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>The checkpoints in a text: one note, or any number of lines, among them lines of other kinds.</summary>
    public static IEnumerable<SignedNote> ReadAll(string text)
    {
        if (SignedNote.TryParse(Encoding.UTF8.GetBytes(text), out var single))
            return [single];
        return text.Split('\n').Select(line => TryParse(line.TrimEnd('\r'), out var note) ? note : null).OfType<SignedNote>();
    }
}

internal sealed record CheckpointLineBody([property: JsonPropertyName("checkpoint"), JsonRequired] string Checkpoint);

[JsonSerializable(typeof(CheckpointLineBody))]
[JsonSourceGenerationOptions(UnmappedMemberHandling = JsonUnmappedMemberHandling.Skip)]
internal sealed partial class CheckpointLineContext : JsonSerializerContext;
