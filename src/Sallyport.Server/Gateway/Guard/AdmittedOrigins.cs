using Sallyport.Server.Configuration;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Gateway.Guard;

/// <summary>The origins whose pages may call: the public URL's, loopback ones where the public URL is loopback, configured ones.</summary>
internal sealed class AdmittedOrigins(GateConfiguration configuration)
{
    public bool Admit(string origin) =>
        origin == configuration.PublicUrl
        || configuration.Origins.Contains(origin, StringComparer.Ordinal)
        || (configuration.IsLoopback && IsLoopback(origin));

    private static bool IsLoopback(string origin) =>
        Uri.TryCreate(origin, UriKind.Absolute, out var uri)
        && uri.Scheme is ("http" or "https")
        && uri.GetLeftPart(UriPartial.Authority) == origin
        && Authority.IsLoopbackName(uri.Host);
}
