using System.Globalization;

namespace Sallyport.EndToEnd.Support;

/// <summary>npm's oidc-provider on loopback, a certified OpenID Connect provider, with one client and a user who needs no page.</summary>
internal sealed class OidcProvider : IAsyncDisposable
{
    public const string ClientId = "the-gate";
    public const string ClientSecret = "a secret of the tests: + & %";

    private readonly ChildProcess _process;

    private OidcProvider(ChildProcess process, string issuer) => (_process, Issuer) = (process, issuer);

    public string Issuer { get; }

    /// <summary>Answers with tokens that it gave, each a JSON object.</summary>
    public IReadOnlyList<string> Given => [.. _process.Output.Split('\n').Where(line => line.StartsWith('{'))];

    public static async Task<OidcProvider> StartAsync(string redirectUri, string clientSecret = ClientSecret)
    {
        var port = Ports.Free().ToString(CultureInfo.InvariantCulture);
        var process = ChildProcess.Start("node", ["provider.mjs", port, ClientId, clientSecret, redirectUri], workingDirectory: Repository.Clients);
        try
        {
            if (!await process.WritesAsync(() => process.Output.Contains("listening", StringComparison.Ordinal)))
                throw new InvalidOperationException($"The provider has ended: {process.Error}");
            return new(process, $"http://127.0.0.1:{port}");
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    public ValueTask DisposeAsync() => _process.DisposeAsync();
}
