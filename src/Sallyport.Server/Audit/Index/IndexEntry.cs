using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using Sallyport.Proof.Journal;

namespace Sallyport.Server.Audit.Index;

/// <summary>
/// What the index keeps of a leaf: where it lies, when it was, and hashes of what is asked for. Two things can have one hash, so an
/// entry only says that a leaf may be one that is sought; 0 stands for a member that is not there.
/// </summary>
/// <param name="Offset">Of its record, in its segment.</param>
/// <param name="Time">Seconds since 1970, within what 32 bits hold.</param>
/// <param name="Type">0 where the leaf is no event that could be read: then nothing is known of it.</param>
internal readonly record struct IndexEntry(uint Offset, uint Time, uint Type, uint Id, uint Subject, uint Client, uint Session, uint Grant, uint Token)
{
    /// <summary>Ten numbers of 4 bytes, little-endian: those above, and a checksum.</summary>
    public const int Bytes = 40;

    private const int Checked = Bytes - sizeof(uint);

    /// <summary>Another version has another one, and takes these entries for damaged ones.</summary>
    private const uint Version = 1;

    /// <summary>Reads a leaf as its readers do: of members that stand there twice the last one counts.</summary>
    public static IndexEntry Of(ReadOnlySpan<byte> leaf, int offset)
    {
        var entry = new IndexEntry { Offset = (uint)offset };
        try
        {
            var reader = new Utf8JsonReader(leaf);
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject)
                return entry;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
                entry = With(entry, ref reader);
            return entry;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return new() { Offset = (uint)offset };
        }
    }

    /// <summary>The hash of a text that is asked for.</summary>
    public static uint HashOf(string text) => HashOf(Encoding.UTF8.GetBytes(text));

    /// <summary>Times keep their order, though not all of them differ.</summary>
    public static uint SecondsOf(DateTimeOffset time) => (uint)Math.Clamp(time.ToUnixTimeSeconds(), uint.MinValue, uint.MaxValue);

    /// <param name="number">The leaf's, which its place in the index says.</param>
    public void Write(Span<byte> destination, long number)
    {
        ReadOnlySpan<uint> values = [Offset, Time, Type, Id, Subject, Client, Session, Grant, Token];
        for (var i = 0; i < values.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(destination[(i * sizeof(uint))..], values[i]);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[Checked..], Checksum(destination, number));
    }

    /// <summary>False where that is no entry for this number: torn, damaged, of another place, or of another version.</summary>
    public static bool TryRead(ReadOnlySpan<byte> source, long number, out IndexEntry entry)
    {
        entry = default;
        if (source.Length < Bytes || At(source, 9) != Checksum(source, number))
            return false;
        entry = new(At(source, 0), At(source, 1), At(source, 2), At(source, 3), At(source, 4), At(source, 5), At(source, 6), At(source, 7), At(source, 8));
        return true;
    }

    private static uint At(ReadOnlySpan<byte> source, int i) => BinaryPrimitives.ReadUInt32LittleEndian(source[(i * sizeof(uint))..]);

    private static uint Checksum(ReadOnlySpan<byte> entry, long number) => Crc32C.Of((uint)number + (Version << 24), entry[..Checked]);

    private static IndexEntry With(IndexEntry entry, ref Utf8JsonReader reader)
    {
        if (reader.ValueTextEquals("type"u8))
            return entry with { Type = Next(ref reader) };
        if (reader.ValueTextEquals("id"u8))
            return entry with { Id = Next(ref reader) };
        if (reader.ValueTextEquals("time"u8))
            return entry with { Time = NextTime(ref reader) };
        if (reader.ValueTextEquals("subject"u8))
            return entry with { Subject = Next(ref reader) };
        if (reader.ValueTextEquals("client"u8))
            return entry with { Client = Next(ref reader) };
        if (reader.ValueTextEquals("session"u8))
            return entry with { Session = Next(ref reader) };
        if (reader.ValueTextEquals("grant"u8))
            return entry with { Grant = Next(ref reader) };
        if (reader.ValueTextEquals("token"u8))
            return entry with { Token = Next(ref reader) };
        reader.Skip();
        return entry;
    }

    private static uint Next(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.String)
            return reader.ValueIsEscaped ? HashOf(reader.GetString()!) : HashOf(reader.ValueSpan);
        reader.Skip();
        return 0;
    }

    private static uint NextTime(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.String && reader.TryGetDateTimeOffset(out var time))
            return SecondsOf(time);
        reader.Skip();
        return 0;
    }

    private static uint HashOf(ReadOnlySpan<byte> text) => Math.Max(1, Crc32C.Of(text));
}
