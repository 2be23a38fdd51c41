using System.Buffers.Text;

namespace Sallyport.Proof.Import;

/// <summary>Takes lines of text apart at their spaces.</summary>
internal static class Words
{
    /// <summary>Takes the next word off; empty at the end.</summary>
    public static ReadOnlySpan<byte> Cut(scoped ref ReadOnlySpan<byte> text)
    {
        var rest = text.TrimStart((byte)' ');
        var space = rest.IndexOf((byte)' ');
        text = space < 0 ? [] : rest[(space + 1)..];
        return space < 0 ? rest : rest[..space];
    }

    /// <summary>Three digits; 0 for what is no status.</summary>
    public static int StatusOf(ReadOnlySpan<byte> word) => Utf8Parser.TryParse(word, out int status, out var length) && length == 3 && length == word.Length ? status : 0;
}
