using System.Security.Cryptography;
using System.Text;
using CsCheck;
using Sallyport.Proof.Tree;

namespace Sallyport.Tests.Proof;

public class Sha256BatchTests
{
    /// <summary>FIPS 180-2 appendix B, and NIST's SHA256ShortMsg.rsp: a message in hexadecimal, and its hash.</summary>
    public static TheoryData<string, string> Known => new()
    {
        { "616263", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
        { Convert.ToHexString("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"u8), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
        {
            Convert.ToHexString("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"u8),
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
        },
        { "d3", "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1" },
        { "11af", "5ca7133fa735326081558ac312c620eeca9970d1e70a4b95533d956f072d1f98" },
        { Convert.ToHexString(Encoding.ASCII.GetBytes(new string('a', 1_000_000))), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0" },
    };

    [Theory]
    [MemberData(nameof(Known))]
    public void A_message_has_its_published_hash_in_every_lane(string message, string hash)
    {
        var bytes = Convert.FromHexString(message);
        for (var before = 0; before < 8; before++)
            Assert.Equal(hash, HashOf([.. Enumerable.Range(1, before).Select(length => new byte[length]), bytes, .. Enumerable.Repeat(new byte[200], 8)])[before]);
        Assert.Equal(hash, HashOf([bytes])[0]);
    }

    [Fact]
    public void Messages_of_each_length_have_the_hashes_of_the_platform()
    {
        var messages = Enumerable.Range(1, 300).Select(RandomNumberGenerator.GetBytes).ToArray();

        Assert.Equal(messages.Select(Platform), HashOf(messages));
    }

    [Fact]
    public void Any_messages_have_the_hashes_of_the_platform() =>
        Gen.Byte.Array[1, 700].Array[0, 50].Sample(messages => messages.Select(Platform).SequenceEqual(HashOf(messages)), iter: 2_000);

    [Fact]
    public void A_batch_forgets_what_it_has_hashed()
    {
        var batch = new Sha256Batch();
        for (var round = 0; round < 100; round++)
        {
            var messages = Enumerable.Range(0, 1 + (round * 7 % 30)).Select(i => RandomNumberGenerator.GetBytes(1 + (((round * 37) + (i * 13)) % 200))).ToArray();
            Assert.Equal(messages.Select(Platform), HashOf(messages, batch));
            Assert.Equal((0, 0), (batch.Count, batch.Bytes));
        }
    }

    [Fact]
    public void Without_vectors_the_hashes_are_the_same()
    {
        var messages = Enumerable.Range(1, 300).Select(RandomNumberGenerator.GetBytes).ToArray();
        var (batch, hashes) = (new Sha256Batch(), new TreeHash[300]);
        Add(messages, batch);
        batch.HashSingly(hashes);

        Assert.Equal(messages.Select(Platform), hashes.Select(hash => Convert.ToHexStringLower(hash)));
    }

    /// <summary>The first byte is the prefix; what is left comes in two pieces.</summary>
    private static void Add(byte[][] messages, Sha256Batch batch)
    {
        foreach (var message in messages)
        {
            var middle = 1 + ((message.Length - 1) / 2);
            batch.Add(message[0], message.AsSpan(1..middle), message.AsSpan(middle));
        }
    }

    private static string[] HashOf(byte[][] messages, Sha256Batch? batch = null)
    {
        batch ??= new();
        Add(messages, batch);
        var hashes = new TreeHash[messages.Length];
        batch.Hash(hashes);
        return [.. hashes.Select(hash => Convert.ToHexStringLower(hash))];
    }

    private static string Platform(byte[] message) => Convert.ToHexStringLower(SHA256.HashData(message));
}
