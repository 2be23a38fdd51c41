using System.IO.Compression;
using System.Text;
using Sallyport.Log;
using ZstdSharp;
using ZstdSharp.Unsafe;

namespace Sallyport.Tests.Operation;

/// <summary>What <c>audit import</c> is given may be compressed.</summary>
public class InflatedTests
{
    private static readonly byte[] s_text = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 10_000).Select(number => $"line {number}\n")));

    [Theory]
    [InlineData("")]
    [InlineData("\u001f")]
    [InlineData("abc")]
    [InlineData("a line that is longer than what tells its kind")]
    public void What_is_not_compressed_is_given_as_it_is(string text) => Assert.Equal(text, Encoding.UTF8.GetString(Inflate(Encoding.UTF8.GetBytes(text))));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_is_compressed_is_inflated_and_a_second_part_behind_it_too(bool isZstandard)
    {
        var compressed = Compress(s_text, isZstandard);

        Assert.Equal(s_text, Inflate(compressed));
        Assert.Equal([.. s_text, .. s_text], Inflate([.. compressed, .. compressed]));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_is_damaged_or_not_whole_is_known_as_such(bool isZstandard)
    {
        var compressed = Compress(s_text, isZstandard);
        byte[] changed = [.. compressed];
        changed[compressed.Length / 2] ^= 0xff;

        foreach (var bad in (byte[][])[compressed[..^20], compressed[..6], changed])
        {
            var exception = Record.Exception(() => Inflate(bad));
            Assert.True(exception is not null && Inflated.IsDamage(exception), $"{bad.Length} of {compressed.Length} bytes: {exception}");
        }
    }

    private static byte[] Compress(byte[] text, bool isZstandard)
    {
        using var memory = new MemoryStream();
        using (Stream stream = isZstandard ? Checked(new(memory, leaveOpen: true)) : new GZipStream(memory, CompressionMode.Compress, leaveOpen: true))
            stream.Write(text);
        return memory.ToArray();
    }

    /// <summary>With a checksum, as <c>zstd</c> writes it.</summary>
    private static CompressionStream Checked(CompressionStream stream)
    {
        stream.SetParameter(ZSTD_cParameter.ZSTD_c_checksumFlag, 1);
        return stream;
    }

    private static byte[] Inflate(byte[] bytes)
    {
        using var inflated = Inflated.Open(new MemoryStream(bytes));
        using var memory = new MemoryStream();
        var buffer = new byte[4096];
        // As lines are read: copying checks more.
        while (inflated.Read(buffer, 0, buffer.Length) is > 0 and var length)
            memory.Write(buffer, 0, length);
        return memory.ToArray();
    }
}
