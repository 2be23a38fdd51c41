using System.Text;
using Sallyport.Proof.Journal;
using Sallyport.Server.Configuration;
using Sallyport.Server.Protocol;

namespace Sallyport.Tests.Protocol;

public class VocabularyTests
{
    [Fact]
    public void Every_reason_has_a_word_of_its_own_and_one_outer_face()
    {
        var reasons = Enum.GetValues<Reason>();

        Assert.Equal(reasons.Length, reasons.Select(reason => reason.Word()).Distinct().Count());
        Assert.All(reasons, reason =>
        {
            Assert.Matches("^[a-z0-9_.]+$", reason.Word());
            var error = OAuthError.For(reason);
            Assert.InRange(error.Status, 400, 503);
            // RFC 6749 §5.2
            Assert.DoesNotContain(error.Description, c => c is < ' ' or > '~' or '"' or '\\');
        });
    }

    [Fact]
    public void An_event_reads_back_as_it_was_written_and_its_type_stands_first()
    {
        var written = new AccessRefused { Id = "id", Reason = Reason.TokenExpired, HttpMethod = "GET", Path = "/ü\u001b\n", Status = 401, Time = DateTimeOffset.UnixEpoch };

        var leaf = AuditEventJson.Write(written);

        Assert.Equal(written, AuditEventJson.Read(leaf));
        Assert.StartsWith("""{"type":"access.refused","id":"id","time":""", Encoding.UTF8.GetString(leaf));
        Assert.All(leaf, b => Assert.InRange(b, (byte)' ', (byte)'~'));
    }

    [Fact]
    public void A_record_whose_bits_were_changed_or_that_was_cut_is_torn()
    {
        var leaf = "a leaf of some bytes"u8.ToArray();
        var record = new byte[JournalRecord.SizeOf(leaf.Length)];
        JournalRecord.Write(leaf, record);

        Assert.Equal(JournalReadResult.Record, JournalRecord.TryRead(record, out var read));
        Assert.Equal(leaf, read.ToArray());
        Assert.Equal(JournalReadResult.End, JournalRecord.TryRead([], out _));
        for (var length = 1; length < record.Length; length++)
            Assert.Equal(JournalReadResult.Torn, JournalRecord.TryRead(record.AsSpan(0, length), out _));
        for (var bit = 0; bit < record.Length * 8; bit++)
        {
            var changed = record.ToArray();
            changed[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.NotEqual(JournalReadResult.Record, JournalRecord.TryRead(changed, out _));
        }
    }

    [Fact]
    public void The_checksum_is_CRC_32C()
    {
        var record = new byte[JournalRecord.SizeOf(9)];
        JournalRecord.Write("123456789"u8, record);

        // Over the length and the leaf, computed bit by bit from the polynomial.
        var crc = uint.MaxValue;
        foreach (var b in record[..4].Concat(record[8..]))
        {
            crc ^= b;
            for (var i = 0; i < 8; i++)
                crc = (crc >> 1) ^ (0x82F63B78u & (uint)-(crc & 1));
        }
        Assert.Equal(~crc, BitConverter.ToUInt32(record, 4));
    }

    [Fact]
    public void Pkce_agrees_with_the_example_of_RFC_7636_appendix_B()
    {
        Assert.True(Pkce.Verify("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"));
        Assert.False(Pkce.Verify("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"));
        Assert.False(Pkce.Verify("", ""));
    }

    [Fact]
    public void Ids_that_are_made_together_begin_alike_and_are_never_the_same()
    {
        var time = DateTimeOffset.UnixEpoch.AddYears(56);
        var ids = Enumerable.Range(0, 1_000).Select(_ => RandomId.NewAt(time)).ToHashSet(StringComparer.Ordinal);

        Assert.Equal(1_000, ids.Count);
        Assert.Single(ids.Select(id => id[..8]).Distinct());
        Assert.DoesNotContain(RandomId.NewAt(time.AddMilliseconds(1))[..8], ids.Select(id => id[..8]));
    }

    [Fact]
    public void An_access_token_is_authentic_only_unchanged_and_under_its_key()
    {
        var format = new AccessTokenFormat(new TokenKeys([TokenKey.New(1, DateTimeOffset.UnixEpoch)], TimeProvider.System), TimeProvider.System);
        var token = format.New(out var id);

        Assert.Equal(AccessTokenReading.Authentic, format.Read(token, out var read));
        Assert.Equal(id, read);
        Assert.DoesNotContain(id, token);
        Assert.Equal(AccessTokenReading.Forged, new AccessTokenFormat(new TokenKeys([TokenKey.New(1, DateTimeOffset.UnixEpoch)], TimeProvider.System), TimeProvider.System).Read(token, out _));
        for (var i = 0; i < token.Length; i++)
        {
            var changed = token[..i] + (token[i] == 'A' ? 'B' : 'A') + token[(i + 1)..];
            Assert.NotEqual(AccessTokenReading.Authentic, format.Read(changed, out _));
        }
    }

    [Theory]
    [InlineData("http://localhost:8700", null, null)]
    [InlineData("http://0.0.0.0:8700", null, "urls")]
    [InlineData("http://0.0.0.0:8700", "https://mcp.example", null)]
    [InlineData("https://localhost:8700", null, "urls")]
    [InlineData("http://localhost:0", null, "urls")]
    [InlineData("http://mcp.example:8700", null, "urls")]
    [InlineData("nonsense", null, "urls")]
    [InlineData("http://localhost:8700", "http://mcp.example", "public-url")]
    [InlineData("http://localhost:8700", "https://mcp.example/path", "public-url")]
    [InlineData("http://localhost:8700", "https://MCP.example", "public-url")]
    [InlineData("http://localhost:8700", "ftp://mcp.example", "public-url")]
    public void An_address_that_cannot_be_safe_is_a_fault(string urls, string? publicUrl, string? fault)
    {
        var configuration = GateConfiguration.From(new() { Urls = urls, PublicUrl = publicUrl, Data = "data" }, out var faults);

        Assert.Equal(fault is null, configuration is not null);
        Assert.Equal(fault, faults.Select(f => f.Setting).FirstOrDefault());
    }

    [Fact]
    public void A_data_directory_too_long_for_its_socket_is_a_fault()
    {
        GateConfiguration.From(new() { Data = "/" + new string('d', 100) }, out var faults);

        Assert.Equal("data", Assert.Single(faults).Setting);
    }

    [Fact]
    public void All_faults_are_reported_together()
    {
        GateConfiguration.From(new() { Urls = "nonsense", PublicUrl = "ftp://x", Upstreams = ["nowhere"], Origins = ["x"], Hosts = ["a b"], AccessTokenSeconds = 0 }, out var faults);

        Assert.Equal(["urls", "public-url", "upstream", "origins", "hosts", "access-token-seconds"], faults.Select(fault => fault.Setting));
    }
}
