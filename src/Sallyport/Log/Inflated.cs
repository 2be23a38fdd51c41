using System.IO.Compression;
using Sallyport.Server.Operation;
using ZstdSharp;

namespace Sallyport.Log;

/// <summary>
/// Opens what was compressed, by gzip (RFC 1952) or Zstandard (RFC 8878), which its first bytes tell and not its name. It is read as it comes: what a small file becomes is never held, and a frame that asks for a
/// window over 128 MiB is refused.
/// </summary>
internal static class Inflated
{
    private static ReadOnlySpan<byte> Gzip => [0x1f, 0x8b];
    private static ReadOnlySpan<byte> Zstandard => [0x28, 0xb5, 0x2f, 0xfd];

    /// <summary>Owns the stream that it is given.</summary>
    public static Stream Open(Stream stream)
    {
        var head = new byte[Zstandard.Length];
        var begun = new Begun(head.AsMemory(0, stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false)), stream);
        if (head.AsSpan().StartsWith(Gzip))
            return new GZipStream(begun, CompressionMode.Decompress);
        return head.AsSpan().SequenceEqual(Zstandard) ? new DecompressionStream(begun, checkEndOfStream: true, leaveOpen: false) : begun;
    }

    /// <summary>Whether it was thrown because what is compressed is damaged, or not whole.</summary>
    public static bool IsDamage(Exception exception) => exception is InvalidDataException or ZstdException or EndOfStreamException;

    /// <summary>A stream whose first bytes were read already: standard input cannot be read twice.</summary>
    private sealed class Begun(ReadOnlyMemory<byte> head, Stream rest) : ForwardStream
    {
        private ReadOnlyMemory<byte> _head = head;

        public override int Read(Span<byte> buffer)
        {
            if (_head.IsEmpty)
                return rest.Read(buffer);
            var length = Math.Min(buffer.Length, _head.Length);
            _head.Span[..length].CopyTo(buffer);
            _head = _head[length..];
            return length;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                rest.Dispose();
            base.Dispose(disposing);
        }
    }
}
