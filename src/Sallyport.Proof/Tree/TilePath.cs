using System.Globalization;
using System.Text;

namespace Sallyport.Proof.Tree;

/// <summary>The place of a tile or an entry bundle below a log's prefix (C2SP tlog-tiles).</summary>
/// <param name="Level">0 to 7 for tiles of hashes (a long counts no more leaves); <see cref="Entries"/> for a bundle of entries.</param>
/// <param name="Index">From the left, from 0.</param>
/// <param name="Width">Hashes or entries in it: 256, or fewer in a partial one.</param>
public readonly record struct TilePath(int Level, long Index, int Width = TilePath.Full)
{
    /// <summary>Hashes or entries in a full one.</summary>
    public const int Full = 256;

    /// <summary>In the place of a level.</summary>
    public const int Entries = -1;

    /// <summary>The highest level that a tree whose size is a long can have.</summary>
    public const int MaxLevel = 7;

    private const string Folder = "tile/";

    public bool IsFull => Width == Full;

    /// <summary>The index of the first leaf that it is about.</summary>
    public long FirstLeaf => Index << (8 * (Math.Max(Level, 0) + 1));

    /// <summary>How many tiles of a level are full in a tree of that size, and how wide the partial one behind them is (0: there is none).</summary>
    public static (long Full, int Partial) Widths(int level, long size)
    {
        var hashes = size >> (8 * Math.Max(level, 0));
        return (hashes / Full, (int)(hashes % Full));
    }

    /// <summary>For instance <c>tile/0/x001/234.p/7</c>.</summary>
    public override string ToString()
    {
        var path = new StringBuilder(Folder)
            .Append(Level == Entries ? "entries" : Level.ToString(CultureInfo.InvariantCulture))
            .Append('/');
        var digits = Index.ToString(CultureInfo.InvariantCulture);
        digits = digits.PadLeft((digits.Length + 2) / 3 * 3, '0');
        for (var i = 0; i < digits.Length; i += 3)
        {
            if (i + 3 < digits.Length)
                path.Append('x').Append(digits, i, 3).Append('/');
            else
                path.Append(digits, i, 3);
        }
        if (!IsFull)
            path.Append(CultureInfo.InvariantCulture, $".p/{Width}");
        return path.ToString();
    }

    /// <summary>Reads a path in its one spelling.</summary>
    public static bool TryParse(string text, out TilePath path)
    {
        path = default;
        var parts = text.Split('/');
        if (parts.Length < 3 || parts[0] + "/" != Folder)
            return false;
        var level = Entries;
        if (parts[1] != "entries" && (!int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out level) || level > MaxLevel))
            return false;
        var width = Full;
        var last = parts.Length;
        if (parts[^2].EndsWith(".p", StringComparison.Ordinal))
        {
            if (parts.Length < 4 || !int.TryParse(parts[^1], NumberStyles.None, CultureInfo.InvariantCulture, out width) || width is < 1 or >= Full)
                return false;
            last--;
        }
        var digits = new StringBuilder();
        for (var i = 2; i < last; i++)
            digits.Append(i == last - 1 ? parts[i].Replace(".p", "", StringComparison.Ordinal) : parts[i].TrimStart('x'));
        if (!long.TryParse(digits.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out var index))
            return false;
        path = new(level, index, width);
        return path.ToString() == text;
    }
}
