using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Configuration;

/// <summary>Where the keys behind access tokens are kept: one file, made at the first start, outside the database.</summary>
internal sealed class TokenKeyFile(DataDirectory directory)
{
    private const int MostKeys = byte.MaxValue;

    /// <summary>The keys, made where there are none.</summary>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    public TokenKeys Open(TimeProvider time)
    {
        if (File.Exists(directory.TokenKeys))
            return new(Read(), time);
        var first = TokenKey.New(1, time.GetUtcNow());
        // Releases before there were several had the secret alone in a file: what it made stays good.
        if (File.Exists(directory.FirstTokenSecret))
            first = new(1, first.SignsFrom, ReadFirstSecret(), PrivateKeyOf(first));
        Write([first]);
        File.Delete(directory.FirstTokenSecret);
        return new([first], time);
    }

    /// <summary>Once this returns they are what the next start finds.</summary>
    public void Write(IReadOnlyList<TokenKey> keys) => Disk.Replace(directory.TokenKeys, JsonSerializer.SerializeToUtf8Bytes(
        keys.Select(key => new KeptKey(key.Number, key.SignsFrom, key.Secret, PrivateKeyOf(key))).ToArray(), TokenKeyJson.Default.KeptKeyArray));

    private List<TokenKey> Read()
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(directory.TokenKeys), TokenKeyJson.Default.KeptKeyArray) is { Length: > 0 and <= MostKeys } kept
                && Array.TrueForAll(kept, static key => key is not null) && kept.Select(key => key.Number).Distinct().Count() == kept.Length
                ? [.. kept.Select(key => new TokenKey(key.Number, key.SignsFrom, key.Secret, key.PrivateKey))]
                : throw new InvalidDataException("its keys are not told apart");
        }
        catch (Exception exception) when (exception is JsonException or CryptographicException or ArgumentException or InvalidDataException)
        {
            throw new InvalidDataException($"{directory.TokenKeys} cannot be read: {exception.Message}. Restore it from a backup, or remove it: all access tokens then end.", exception);
        }
    }

    private byte[] ReadFirstSecret()
    {
        var secret = File.ReadAllBytes(directory.FirstTokenSecret);
        return secret.Length == TokenKey.SecretBytes
            ? secret
            : throw new InvalidDataException($"{directory.FirstTokenSecret} has {secret.Length} bytes instead of {TokenKey.SecretBytes}. Restore it from a backup, or remove it: all access tokens then end.");
    }

    private static byte[] PrivateKeyOf(TokenKey key) => key.Signing.ECDsa.ExportPkcs8PrivateKey();
}

/// <summary>As it is in the file.</summary>
internal sealed record KeptKey(byte Number, DateTimeOffset SignsFrom, byte[] Secret, byte[] PrivateKey);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(KeptKey[]))]
internal sealed partial class TokenKeyJson : JsonSerializerContext;
