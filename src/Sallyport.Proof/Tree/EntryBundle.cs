using System.Buffers.Binary;

namespace Sallyport.Proof.Tree;

/// <summary>Entries one after the other, each behind its length in 2 bytes, big-endian (C2SP tlog-tiles, "Log entries").</summary>
public static class EntryBundle
{
    /// <summary>Bytes before each entry.</summary>
    public const int HeaderBytes = 2;

    /// <summary>No bundle has more bytes.</summary>
    public const int MaxBytes = TilePath.Full * (HeaderBytes + Events.AuditEventJson.MaxLeafBytes);

    /// <summary>Writes one entry to the start of <paramref name="destination"/>.</summary>
    public static void Write(ReadOnlySpan<byte> leaf, Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt16BigEndian(destination, checked((ushort)leaf.Length));
        leaf.CopyTo(destination[HeaderBytes..]);
    }

    /// <summary>Takes the first entry off a bundle; false at its end, or where it is cut off in the midst of an entry.</summary>
    public static bool TryRead(scoped ref ReadOnlySpan<byte> bundle, out ReadOnlySpan<byte> leaf)
    {
        leaf = default;
        if (bundle.Length < HeaderBytes)
            return false;
        var length = BinaryPrimitives.ReadUInt16BigEndian(bundle);
        if (bundle.Length - HeaderBytes < length)
            return false;
        leaf = bundle.Slice(HeaderBytes, length);
        bundle = bundle[(HeaderBytes + length)..];
        return true;
    }
}
