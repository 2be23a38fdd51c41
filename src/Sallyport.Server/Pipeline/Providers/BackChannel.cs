using System.Net;
using System.Security.Authentication;
using Sallyport.Proof.Events;
using Sallyport.Server.Configuration;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Pipeline.Providers;

/// <summary>
/// Everything that the gate asks an identity provider by itself goes through here: to endpoints that may be asked only, in a limited time,
/// for a limited answer, without following a redirect.
/// </summary>
internal sealed class BackChannel(TimeProvider time) : DelegatingHandler
{
    /// <summary>For one answer, from the connection to its last byte.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private static readonly AsyncLocal<Conversation?> s_conversation = new();

    /// <summary>What is asked from here on is asked of this provider.</summary>
    public static Conversation With(ProviderSetting provider) => s_conversation.Value = new(new(provider.Issuer));

    /// <summary>
    /// Whether the provider may name this address as an endpoint of its own: https, or its own origin's scheme at its own host. What is not
    /// named by the operator is never an address of this machine or network.
    /// </summary>
    public static bool Admits(Uri issuer, Uri endpoint)
    {
        if (!endpoint.IsAbsoluteUri || endpoint.UserInfo.Length > 0 || endpoint.Scheme is not ("http" or "https"))
            return false;
        if (endpoint.Host == issuer.Host)
            return endpoint.Scheme == issuer.Scheme || endpoint.Scheme == Uri.UriSchemeHttps;
        var host = endpoint.Host.TrimEnd('.');
        return endpoint.Scheme == Uri.UriSchemeHttps && endpoint.HostNameType == UriHostNameType.Dns
            && !Authority.IsLoopbackName(host) && !host.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase);
    }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var conversation = s_conversation.Value ?? throw new InvalidOperationException("nobody said which provider this is for");
        try
        {
            if (!Admits(conversation.Issuer, request.RequestUri!))
                throw new ProviderException(Reason.ProviderEndpointRefused, $"it names an endpoint that must not be asked: {request.RequestUri!.GetLeftPart(UriPartial.Authority)}");
            using var limit = new CancellationTokenSource(Patience, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
            try
            {
                return await AskAsync(request, either.Token);
            }
            catch (OperationCanceledException exception) when (limit.IsCancellationRequested)
            {
                throw new ProviderException(Reason.ProviderUnreachable, $"no whole answer within {Patience.TotalSeconds} s", exception);
            }
            catch (Exception exception) when (exception is HttpRequestException or IOException or AuthenticationException)
            {
                throw new ProviderException(Reason.ProviderUnreachable, exception.Message, exception);
            }
        }
        catch (ProviderException exception)
        {
            // OpenIddict turns exceptions into errors of its own.
            conversation.Fault = exception;
            throw;
        }
    }

    private async Task<HttpResponseMessage> AskAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var response = await base.SendAsync(request, cancellationToken);
        try
        {
            if ((int)response.StatusCode is >= 300 and < 400)
                throw new ProviderException(Reason.ProviderRedirected, $"it answers {(int)response.StatusCode}; redirects are not followed");
            if (response.StatusCode != HttpStatusCode.OK)
                throw new ProviderException(Reason.ProviderRefused, $"it answers {(int)response.StatusCode}");
            if (response.Content.Headers.ContentEncoding.Count > 0)
                throw new ProviderException(Reason.ProviderAnswerInvalid, "it answers compressed, which nobody asked for");
            var whole = new ByteArrayContent(await ReadAsync(response.Content, cancellationToken));
            whole.Headers.ContentType = response.Content.Headers.ContentType;
            response.Content.Dispose();
            response.Content = whole;
            return response;
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    private static async Task<byte[]> ReadAsync(HttpContent content, CancellationToken cancellationToken)
    {
        var bytes = new MemoryStream();
        await using var stream = await content.ReadAsStreamAsync(cancellationToken);
        var buffer = new byte[8192];
        while (await stream.ReadAsync(buffer, cancellationToken) is > 0 and var length)
        {
            if (bytes.Length + length > Limits.ProviderAnswerBytes)
                throw new ProviderException(Reason.ProviderAnswerTooLarge, $"it answers more than {Limits.ProviderAnswerBytes} bytes");
            bytes.Write(buffer, 0, length);
        }
        return bytes.ToArray();
    }

    /// <summary>What is asked for one purpose, and what went wrong with it last.</summary>
    internal sealed class Conversation(Uri issuer)
    {
        public Uri Issuer { get; } = issuer;
        public ProviderException? Fault { get; set; }
    }
}
