using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Sallyport.Tests.Proof.Support;

/// <summary>A log in <c>vectors/</c>, or what was made of one, and what a verifier has to find.</summary>
/// <param name="Log">Its folder in <c>vectors/</c>.</param>
/// <param name="Changes">What is done to it first, in order.</param>
/// <param name="Against">A head that was kept elsewhere.</param>
/// <param name="First">The first leaf that is still there.</param>
/// <param name="Faults">Each kind that has to be found, and where it is found first; none for a whole log.</param>
internal sealed record LogVector(
    string Name, string Says, string Log, IReadOnlyList<FileChange>? Changes, string? Against,
    long? First, long? Length, long? Signed, long? Torn, string? Root, string? Witness, IReadOnlyList<LogVectorFault> Faults)
{
    private static readonly JsonSerializerOptions s_json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = true,
        NewLine = "\n",
    };

    public static IReadOnlyList<LogVector> ReadAll(string path) => JsonSerializer.Deserialize<List<LogVector>>(File.ReadAllBytes(path), s_json)!;

    public static string Write(IReadOnlyList<LogVector> vectors) => JsonSerializer.Serialize(vectors, s_json) + "\n";

    public override string ToString() => Name;
}

/// <param name="Index">The leaf or size that it is about; null where it is about none.</param>
internal sealed record LogVectorFault(string Kind, long? Index = null);

/// <summary>What is done to a file. One of the members behind the first says what.</summary>
/// <param name="Offset">With <paramref name="Bytes"/>, in hexadecimal: they take the place of what stands from there on, and of nothing where the file ends.</param>
/// <param name="Length">It is cut to so many bytes.</param>
/// <param name="Content">It has this text, whether or not it was there.</param>
/// <param name="Renamed">It has this name.</param>
/// <param name="Removed">It is gone.</param>
internal sealed record FileChange(string File, long? Offset = null, string? Bytes = null, long? Length = null, string? Content = null, string? Renamed = null, bool? Removed = null)
{
    /// <summary>In a copy of the log.</summary>
    public void ApplyTo(string directory)
    {
        var path = Path.Combine(directory, File);
        if (Removed == true)
        {
            System.IO.File.Delete(path);
        }
        else if (Renamed is { } other)
        {
            System.IO.File.Move(path, Path.Combine(directory, other));
        }
        else if (Content is { } text)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            System.IO.File.WriteAllText(path, text);
        }
        else
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite);
            if (Length is { } length)
                file.SetLength(length);
            else
                file.Seek(Offset!.Value, SeekOrigin.Begin);
            file.Write(Convert.FromHexString(Bytes ?? ""));
        }
    }
}
