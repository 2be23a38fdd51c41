using System.Buffers.Text;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Sallyport.Proof.Events;
using Sallyport.Server.Configuration;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Heartbeat;

/// <summary>How a request of each class looks: what is wrong with it, and nothing else is.</summary>
internal sealed class Credentials(GateConfiguration configuration, AccessTokenFormat opaque, TokenKeys keys, TimeProvider time)
{
    /// <summary>Names that nobody has (RFC 2606 §2).</summary>
    private const string ForeignHost = "heartbeat.invalid", ForeignOrigin = "https://heartbeat.invalid";

    private static readonly HeartbeatClass[] s_all = Enum.GetValues<HeartbeatClass>();

    /// <summary>A key of nobody's, under the name of the gate's own.</summary>
    private readonly TokenKey _wrongKey = TokenKey.New(1, DateTimeOffset.UnixEpoch);

    public static IReadOnlyList<HeartbeatClass> All => s_all;

    /// <summary>Makes a request to the public address one of that class.</summary>
    /// <param name="stored">The gate's own tokens that were stored.</param>
    /// <param name="session">The session that the good token was given.</param>
    /// <returns>False where there is nothing to make it of.</returns>
    public bool Put(HeartbeatClass of, HttpRequestMessage request, UpstreamSetting upstream, IReadOnlyDictionary<HeartbeatClass, string> stored, string? session)
    {
        request.Headers.Host = new Uri(configuration.PublicUrl).Authority;
        switch (of)
        {
            case HeartbeatClass.None:
                break;
            case HeartbeatClass.Malformed:
                Bear(request, "heartbeat");
                break;
            case HeartbeatClass.Unknown:
                Bear(request, opaque.New(out _));
                break;
            case HeartbeatClass.Forged:
                Bear(request, Forged());
                break;
            case HeartbeatClass.InQuery:
                request.RequestUri = new($"{request.RequestUri}?access_token={opaque.New(out _)}", UriKind.Relative);
                break;
            case HeartbeatClass.JwtAlgNone:
                Bear(request, $"{Encoded(new() { ["alg"] = "none", ["typ"] = JwtFormat.Type })}.{Encoded(Claims(upstream))}.");
                break;
            case HeartbeatClass.JwtWrongKey:
                Bear(request, SignedByAnother(upstream));
                break;
            case HeartbeatClass.OriginForeign:
                request.Headers.Add("Origin", ForeignOrigin);
                break;
            case HeartbeatClass.HostWrong:
                request.Headers.Host = ForeignHost;
                break;
            case HeartbeatClass.Expired or HeartbeatClass.Revoked or HeartbeatClass.WrongAudience or HeartbeatClass.WrongScope or HeartbeatClass.Good or HeartbeatClass.AnothersSession:
                if (!stored.TryGetValue(of, out var token) || (of == HeartbeatClass.AnothersSession && session is null))
                    return false;
                Bear(request, token);
                if (of == HeartbeatClass.AnothersSession)
                    request.Headers.Add(McpHeader.Session, session);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(of));
        }
        return true;
    }

    private static void Bear(HttpRequestMessage request, string token) => request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);

    /// <summary>Of a token the last character, which belongs to the MAC, is another one.</summary>
    private string Forged()
    {
        var token = opaque.New(out _);
        return token[..^1] + (token[^1] == 'A' ? 'B' : 'A');
    }

    private string SignedByAnother(UpstreamSetting upstream)
    {
        _wrongKey.Signing.KeyId = keys.Current.KeyId;
        var now = time.GetUtcNow();
        return SignedJwt.New(_wrongKey, JwtFormat.Type, configuration.PublicUrl, upstream.Audience, now, now + configuration.AccessTokenLifetime, Claims(upstream));
    }

    private Dictionary<string, object> Claims(UpstreamSetting upstream) => new()
    {
        ["iss"] = configuration.PublicUrl,
        ["aud"] = upstream.Audience,
        ["exp"] = (time.GetUtcNow() + configuration.AccessTokenLifetime).ToUnixTimeSeconds(),
        ["sub"] = "heartbeat",
        ["client_id"] = "heartbeat",
        ["scope"] = Scope.Mcp,
        ["jti"] = RandomId.New(),
    };

    private static string Encoded(Dictionary<string, object> json) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(JsonSerializer.Serialize(json)));
}
