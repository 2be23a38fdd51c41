using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using NSec.Cryptography;
using Sallyport.Server.Configuration;

namespace Sallyport.Server.Operation;

/// <summary>
/// Keys under a passphrase. docs/backup.md has the format: a header with all parameters, which is authenticated too, and a sealed JSON
/// object (Argon2id, XChaCha20-Poly1305).
/// </summary>
/// <param name="Origin">The log of the gate whose keys they are.</param>
/// <param name="Keys">Contents by file name.</param>
internal sealed record KeyFile(string Origin, IReadOnlyDictionary<string, byte[]> Keys)
{
    /// <summary>More than any gate has.</summary>
    public const int MostBytes = 1024 * 1024;

    /// <summary>Characters.</summary>
    public const int ShortestPassphrase = 12;

    private const int MostKeyBytes = 64 * 1024;
    private const int SaltBytes = 16;
    private const int MemoryKiB = 64 * 1024;
    private const int Passes = 3;

    /// <summary>A file that asks for more is not ours, and opening it is not to take the machine's memory.</summary>
    private const uint MostMemoryKiB = 1024 * 1024;
    private const uint MostPasses = 64;

    private static readonly AeadAlgorithm s_cipher = AeadAlgorithm.XChaCha20Poly1305;

    /// <summary>Its first bytes; the number is the version.</summary>
    private static ReadOnlySpan<byte> Magic => "sallyport-keys 1\n"u8;

    private static int MemoryAt => Magic.Length;
    private static int PassesAt => MemoryAt + sizeof(uint);
    private static int SaltAt => PassesAt + sizeof(uint);
    private static int NonceAt => SaltAt + SaltBytes;
    private static int HeaderBytes => NonceAt + s_cipher.NonceSize;

    /// <summary>
    /// The keys that a restored gate goes on with. Not that of the log, which no other log may be signed with; and not those of sign-in
    /// cookies and forms, which all end with a restore.
    /// </summary>
    public static KeyFile Read(DataDirectory directory, string origin) => new(origin, Directory.EnumerateFiles(directory.Keys)
        .Where(path => IsKept(Path.GetFileName(path)))
        .ToDictionary(path => Path.GetFileName(path), File.ReadAllBytes));

    /// <summary>Writes them where no key is yet.</summary>
    public void WriteTo(DataDirectory directory)
    {
        foreach (var (name, content) in Keys)
        {
            using var file = new FileStream(Path.Combine(directory.Keys, name), FileMode.CreateNew, FileAccess.Write);
            file.Write(content);
        }
    }

    public byte[] Seal(string passphrase)
    {
        var content = JsonSerializer.SerializeToUtf8Bytes(this, KeyFileJson.Default.KeyFile);
        var header = new byte[HeaderBytes];
        Magic.CopyTo(header);
        BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(MemoryAt), MemoryKiB);
        BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(PassesAt), Passes);
        RandomNumberGenerator.Fill(header.AsSpan(SaltAt));
        try
        {
            using var key = Derive(header, passphrase);
            return [.. header, .. s_cipher.Encrypt(key, header.AsSpan(NonceAt), header, content)];
        }
        finally
        {
            CryptographicOperations.ZeroMemory(content);
        }
    }

    /// <exception cref="UnusableBackupException">It is no such file, or was sealed with another passphrase.</exception>
    public static KeyFile Open(ReadOnlySpan<byte> bytes, string passphrase)
    {
        if (bytes.Length < HeaderBytes + s_cipher.TagSize || bytes.Length > MostBytes || !bytes.StartsWith(Magic)
            || BinaryPrimitives.ReadUInt32BigEndian(bytes[MemoryAt..]) is < 8 or > MostMemoryKiB
            || BinaryPrimitives.ReadUInt32BigEndian(bytes[PassesAt..]) is < 1 or > MostPasses)
            throw new UnusableBackupException("That is no key file that can be opened", "Nothing was changed. Give the file that 'sallyport backup --keys' made");
        var header = bytes[..HeaderBytes];
        using var key = Derive(header, passphrase);
        var content = s_cipher.Decrypt(key, header[NonceAt..], header, bytes[HeaderBytes..])
            ?? throw new UnusableBackupException("The passphrase is not the one of the key file, or the file is damaged", "Nothing was changed. Give the passphrase that the file was made with");
        try
        {
            return JsonSerializer.Deserialize(content, KeyFileJson.Default.KeyFile) is { Origin: not null, Keys: not null } opened
                && opened.Keys.All(key => IsKept(key.Key) && key.Value is { Length: <= MostKeyBytes })
                ? opened
                : throw new JsonException();
        }
        catch (JsonException)
        {
            throw new UnusableBackupException("What the key file holds cannot be read", "Nothing was changed. Restore it with the release that made it, or a newer one");
        }
        finally
        {
            CryptographicOperations.ZeroMemory(content);
        }
    }

    private static Key Derive(ReadOnlySpan<byte> header, string passphrase)
    {
        var argon2 = PasswordBasedKeyDerivationAlgorithm.Argon2id(new Argon2Parameters
        {
            DegreeOfParallelism = 1,
            MemorySize = BinaryPrimitives.ReadUInt32BigEndian(header[MemoryAt..]),
            NumberOfPasses = BinaryPrimitives.ReadUInt32BigEndian(header[PassesAt..]),
        });
        var password = Encoding.UTF8.GetBytes(passphrase);
        try
        {
            return argon2.DeriveKey(password, header.Slice(SaltAt, SaltBytes), s_cipher);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(password);
        }
    }

    private static bool IsKept(string name) =>
        name.Length is > 0 and <= 100
        && name[0] != '.'
        && name.AsSpan().IndexOfAnyExcept(s_nameCharacters) < 0
        && !name.EndsWith(".new", StringComparison.Ordinal)
        && name is not (DataDirectory.LogKeyName or DataDirectory.WitnessKeyName)
        && !(name.StartsWith("key-", StringComparison.Ordinal) && name.EndsWith(".xml", StringComparison.Ordinal));

    private static readonly System.Buffers.SearchValues<char> s_nameCharacters =
        System.Buffers.SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(KeyFile))]
internal sealed partial class KeyFileJson : JsonSerializerContext;
