using System.Globalization;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.IdentityModel.Tokens;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Authorization.Keys;

/// <summary>The public keys that check what the gate signs (RFC 7517 §5), also where it signs nothing just now.</summary>
internal sealed class JwksEndpoint(TokenKeys keys)
{
    private static readonly string s_cacheControl = string.Create(CultureInfo.InvariantCulture, $"public, max-age={TokenKeys.PublishedAhead.TotalSeconds}");

    public static void Add(IServiceCollection services) => services.AddSingleton<JwksEndpoint>();

    public static void Map(IEndpointRouteBuilder routes) =>
        routes.MapGatePath("/jwks", PathPolicy.OAuth).On<JwksEndpoint>(HttpMethods.Get, (endpoint, context) => endpoint.GetAsync(context));

    private Task GetAsync(HttpContext context)
    {
        context.Response.Headers.CacheControl = s_cacheControl;
        return context.Response.WriteAsJsonAsync(new([.. keys.Accepted.Select(Describe)]), JwksJson.Default.KeySet);
    }

    private static PublishedKey Describe(TokenKey key)
    {
        // What is private is not asked for.
        var point = key.Signing.ECDsa.ExportParameters(includePrivateParameters: false).Q;
        return new("EC", "P-256", Base64UrlEncoder.Encode(point.X), Base64UrlEncoder.Encode(point.Y), key.KeyId, "sig", SecurityAlgorithms.EcdsaSha256);
    }
}

internal sealed record KeySet(IReadOnlyList<PublishedKey> Keys);

/// <summary>RFC 7518 §6.2.1.</summary>
internal sealed record PublishedKey(string Kty, string Crv, string X, string Y, string Kid, string Use, string Alg);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(KeySet))]
internal sealed partial class JwksJson : JsonSerializerContext;
