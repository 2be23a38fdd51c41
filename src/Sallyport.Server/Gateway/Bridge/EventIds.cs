using System.Security.Cryptography;
using System.Text;

namespace Sallyport.Server.Gateway.Bridge;

/// <summary>
/// Ids of a stream's events as clients get them: the upstream's own behind a MAC over it and whose stream it is. With another's id
/// nobody goes on with another's stream, whatever the upstream would let pass. Sessions end with the process, and so does the key.
/// </summary>
internal sealed class EventIds
{
    private const int MacBytes = 16;
    private const int MacLength = 2 * MacBytes;
    private readonly byte[] _key = RandomNumberGenerator.GetBytes(32);

    public string Seal(string owner, string id) => Mac(owner, id) + id;

    /// <summary>The upstream's id; null when it was not given to this owner.</summary>
    public string? Open(string owner, string sealedId) =>
        sealedId.Length >= MacLength && sealedId[MacLength..] is var id
        && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(Mac(owner, id)), Encoding.UTF8.GetBytes(sealedId[..MacLength])) ? id : null;

    private string Mac(string owner, string id) =>
        Convert.ToHexStringLower(HMACSHA256.HashData(_key, Encoding.UTF8.GetBytes($"{owner}\n{id}")).AsSpan(0, MacBytes));
}
