using System.Buffers.Text;
using System.Globalization;
using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Sallyport.EndToEnd.Support;
using ZstdSharp;

namespace Sallyport.EndToEnd;

/// <summary><c>audit import</c>, of logs that real servers wrote, behind a guard that works and one that was forgotten somewhere.</summary>
public sealed class AccessLogTests : IDisposable
{
    private const string Token = "good";
    private const string Initialize = """{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"tests","version":"1"}}}""";

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("sallyport-");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _directory.Delete(recursive: true);

    [Theory]
    [InlineData("everything", false)]
    [InlineData("everything", true)]
    [InlineData("fastmcp", false)]
    [InlineData("fastmcp", true)]
    [InlineData("csharp", false)]
    [InlineData("csharp", true)]
    public async Task A_guard_that_was_forgotten_somewhere_shows_in_the_log_of_(string kind, bool isBroken)
    {
        await using var server = await (kind switch
        {
            "everything" => McpServerProcess.StartEverythingAsync(),
            "fastmcp" => McpServerProcess.StartFastMcpAsync(),
            _ => McpServerProcess.StartConformanceAsync(stateless: false),
        });
        var port = Ports.Free();
        await using var nginx = await NginxProcess.StartGuardAsync(port, new(server.Url), Token, isBroken);
        using var client = new HttpClient { BaseAddress = new(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}")) };
        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync(client, "/mcp", null));
        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync(client, "/mcp", "bad"));
        Assert.Equal(HttpStatusCode.OK, await AskAsync(client, "/mcp", Token));
        Assert.Equal(isBroken ? HttpStatusCode.OK : HttpStatusCode.NotFound, await AskAsync(client, "/internal/mcp", null));

        var (inJson, inCombined) = (await nginx.ReadAsync("json.log", lines: 4), await nginx.ReadAsync("combined.log", lines: 4));

        // What it wrote is among the vectors, too.
        if (Environment.GetEnvironmentVariable("SALLYPORT_WRITE_VECTORS") == "1")
        {
            foreach (var (format, text) in new[] { ("json", inJson), ("combined", inCombined) })
                await File.WriteAllTextAsync(Path.Combine(Repository.Root, "vectors", "import", $"nginx-{kind}-{(isBroken ? "forgotten" : "whole")}-{format}.log"), text, Cancellation);
        }
        var json = await ImportAsync(inJson);
        var combined = await ImportAsync(inCombined);

        Assert.All([json, combined], report => Assert.Equal(isBroken ? "bypassed" : "not_proven", report.GetProperty("judgement").GetProperty("verdict").GetString()));
        Assert.All([json, combined], report => Assert.Equal(isBroken ? 2 : 1, report.GetProperty("components")[4].GetProperty("done").GetProperty("total").GetInt32()));
        Assert.Equal(isBroken, json.GetProperty("sentence").GetString()!.Contains("POST /internal/mcp let in 1 request", StringComparison.Ordinal));
        // That a token came is only in the other one: what lets in without one is contradicted there though there was traffic before.
        Assert.Equal(isBroken ? "bypassed" : "not_proven", (await ImportAsync(inJson, "--continued")).GetProperty("judgement").GetProperty("verdict").GetString());
        Assert.Equal("not_proven", (await ImportAsync(inCombined, "--continued")).GetProperty("judgement").GetProperty("verdict").GetString());
    }

    /// <summary>No proxy writes here, but ASP.NET Core itself.</summary>
    [Theory]
    [InlineData("text", false)]
    [InlineData("text", true)]
    [InlineData("json", false)]
    [InlineData("json", true)]
    public async Task A_check_that_was_forgotten_somewhere_shows_in_the_log_of_a_server_that_judges_by_itself(string format, bool isBroken)
    {
        var key = RandomNumberGenerator.GetBytes(32);
        await using var server = await McpServerProcess.StartProtectedAsync(key, [.. isBroken ? (string[])["--forgotten"] : [], .. format == "json" ? (string[])["--json"] : []]);
        using var client = new HttpClient { BaseAddress = new(server.Url) };
        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync(client, "/mcp", null));
        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync(client, "/mcp", "bad"));
        Assert.Equal(HttpStatusCode.OK, await AskAsync(client, "/mcp", Jwt(key, server.Url)));
        Assert.Equal(isBroken ? HttpStatusCode.OK : HttpStatusCode.NotFound, await AskAsync(client, "/internal/mcp", null));

        var log = await server.WrittenAsync(output => Occurrences(output, "Request finished") >= (format == "json" ? 8 : 4));

        if (Environment.GetEnvironmentVariable("SALLYPORT_WRITE_VECTORS") == "1")
            await File.WriteAllTextAsync(Path.Combine(Repository.Root, "vectors", "import", $"csharp-sdk-{(isBroken ? "forgotten" : "whole")}-{format}.log"), log, Cancellation);
        var report = await ImportAsync(log);

        Assert.Equal(isBroken ? "bypassed" : "not_proven", report.GetProperty("judgement").GetProperty("verdict").GetString());
        Assert.Equal(isBroken ? 2 : 1, report.GetProperty("components")[4].GetProperty("done").GetProperty("total").GetInt32());
        Assert.Equal(2, report.GetProperty("components")[5].GetProperty("done").GetProperty("total").GetInt32());
        Assert.Equal(isBroken, report.GetProperty("sentence").GetString()!.Contains("POST /internal/mcp let in 1 request", StringComparison.Ordinal));
    }

    private static int Occurrences(string text, string of) => text.Split(of).Length - 1;

    private static string Jwt(byte[] key, string audience)
    {
        string Encoded(object part) => Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(part));
        var signed = $"{Encoded(new { alg = "HS256", typ = "JWT" })}.{Encoded(new { iss = "https://issuer.example", aud = audience, exp = TimeProvider.System.GetUtcNow().AddMinutes(5).ToUnixTimeSeconds(), sub = "alice" })}";
        return $"{signed}.{Base64Url.EncodeToString(HMACSHA256.HashData(key, Encoding.ASCII.GetBytes(signed)))}";
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("zstd")]
    public async Task A_compressed_log_is_read_whatever_its_name_and_one_that_is_not_whole_is_refused(string how)
    {
        var log = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("\"GET /mcp HTTP/1.1\" 401\n", 1000)));
        var whole = Path.Combine(_directory.FullName, "whole");
        var torn = Path.Combine(_directory.FullName, "torn");
        await using (var file = File.Create(whole))
        await using (Stream compressed = how == "gzip" ? new GZipStream(file, CompressionMode.Compress) : new CompressionStream(file))
            await compressed.WriteAsync(log, Cancellation);
        await File.WriteAllBytesAsync(torn, (await File.ReadAllBytesAsync(whole, Cancellation))[..^20], Cancellation);

        var read = await Executable.RunAsync("audit", "import", whole, "--format", "json");
        var refused = await Executable.RunAsync("audit", "import", torn);

        Assert.Equal(1000, JsonElement.Parse(read.Output).GetProperty("components")[5].GetProperty("done").GetProperty("total").GetInt32());
        Assert.Equal(((int)ExitCode.RefusedInput, ""), (refused.ExitCode, refused.Output));
        Assert.StartsWith("sallyport: torn was compressed, and cannot be read to its end", refused.Error, StringComparison.Ordinal);
    }

    private static async Task<HttpStatusCode> AskAsync(HttpClient client, string path, string? token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(Initialize, Encoding.UTF8, "application/json") };
        request.Headers.Accept.ParseAdd("application/json");
        request.Headers.Accept.ParseAdd("text/event-stream");
        if (token is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var response = await client.SendAsync(request, Cancellation);
        await response.Content.ReadAsByteArrayAsync(Cancellation);
        return response.StatusCode;
    }

    private async Task<JsonElement> ImportAsync(string log, params string[] options)
    {
        var file = Path.Combine(_directory.FullName, "access.log");
        await File.WriteAllTextAsync(file, log, Cancellation);
        return JsonElement.Parse((await Executable.RunAsync(["audit", "import", file, "--format", "json", .. options])).Output);
    }
}
