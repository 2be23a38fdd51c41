using System.Security.Cryptography;
using Sallyport.Bench.Measures;

namespace Sallyport.Bench.Processes;

/// <summary>
/// Sallyport: the real executable with everything on, in a data directory with one user. Beside what is on by default that is a file
/// for its checkpoints; its own requests, every five minutes, are in its log too.
/// </summary>
internal sealed class Gate : IAsyncDisposable
{
    public const string User = "bench";

    /// <summary>What <see cref="VerifyAsync"/> gives where all is well.</summary>
    public const string Verified = "verified";

    private Gate(Server server, string data, string password) => (Server, Data, Password) = (server, data, password);

    public Server Server { get; }
    public string Data { get; }
    public string Password { get; }

    public static async Task<Gate> StartAsync(string run, int? upstream)
    {
        var data = Path.Combine(run, "gate");
        var password = RandomNumberGenerator.GetHexString(32);
        var added = await ChildProcess.RunAsync("dotnet", [Paths.Gate, "user", "add", User, "--password-stdin", "--data", data], password + "\n");
        if (added.ExitCode != 0)
            throw new BenchFault($"The user could not be added: {added.Error}");
        return new(await ServeAsync(data, upstream), data, password);
    }

    public static Task<Server> ServeAsync(string data, int? upstream)
    {
        var port = Ports.Free();
        string[] before = upstream is { } server ? ["--upstream", $"{Server.OriginOf(server)}/mcp"] : [];
        return Server.StartAsync("gate", port, () => ChildProcess.Start("dotnet", [Paths.Gate, "serve", "--urls", Server.OriginOf(port), "--data", data, "--anchors", data + ".anchors", .. before]));
    }

    public async Task<string> NewAccessTokenAsync()
    {
        using var client = await OAuthClient.RegisterAsync(Server.Origin, User, Password);
        return (await client.RedeemAsync(await client.AuthorizeAsync())).AccessToken;
    }

    /// <summary>Stops it as an operator does: its log is whole then.</summary>
    public async Task StopAsync()
    {
        var finished = await Server.Process.TerminateAsync();
        if (finished.ExitCode != 0)
            throw new BenchFault($"The gate ended with {finished.ExitCode}: {finished.Error}");
    }

    /// <summary>What <c>audit verify</c> says of its log: <see cref="Verified"/>, or why not.</summary>
    public static async Task<string> VerifyAsync(string data)
    {
        var verified = await ChildProcess.RunAsync("dotnet", [Paths.Gate, "audit", "verify", data]);
        return verified.ExitCode == 0 ? Verified : $"NOT VERIFIED (exit {verified.ExitCode}): {(verified.Output + verified.Error).Trim()}";
    }

    public ValueTask DisposeAsync() => Server.DisposeAsync();
}
