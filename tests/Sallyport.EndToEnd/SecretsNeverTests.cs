using System.Globalization;
using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Data.Sqlite;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;
using Sallyport.Tests.Telemetry;

namespace Sallyport.EndToEnd;

/// <summary>Secrets never: whatever secret comes to the gate or from it, in its place or out of it, is in no sink afterwards.</summary>
public class SecretsNeverTests
{
    private const string RedirectUrl = "http://localhost:8123/callback";
    private const string UserName = "owner";

    /// <summary>Every command that reads the log out, in each format; of one event it is asked about an access and a refusal.</summary>
    private static IEnumerable<string[]> ReadersOf(Recording log)
    {
        string[] numbers = [.. ((AuditEvent[])[log.All<AccessAllowed>().Last(), log.All<AccessRefused>().Last()]).Select(e => log.NumberOf(e).ToString(CultureInfo.InvariantCulture))];
        return
        [
            ["audit", "tail", "-n", "1000000"],
            ["audit", "tail", "-n", "1000000", "--json"],
            .. ((string[])["jsonl", "ocsf", "ecs"]).Select(format => (string[])["audit", "export", "--format", format]),
            .. ((string[])["text", "md", "html", "json"]).Select(format => (string[])["audit", "report", "--format", format]),
            .. numbers.Select(number => (string[])["audit", "explain", number]),
            .. numbers.Select(number => (string[])["audit", "prove", number]),
        ];
    }

    /// <summary>All that an operator may try to make it say more.</summary>
    private static readonly Dictionary<string, string> s_verbose = new()
    {
        ["Logging__LogLevel__Default"] = "Trace",
        ["Logging__LogLevel__Microsoft.AspNetCore"] = "Trace",
        ["Logging__Console__LogLevel__Default"] = "Trace",
        ["ASPNETCORE_Logging__LogLevel__Default"] = "Trace",
        ["DOTNET_Logging__LogLevel__Default"] = "Trace",
        ["ASPNETCORE_ENVIRONMENT"] = "Development",
        ["DOTNET_ENVIRONMENT"] = "Development",
        ["ASPNETCORE_DETAILEDERRORS"] = "true",
        ["DOTNET_EnableEventPipe"] = "1",
    };

    private readonly Canaries _canaries = new();
    private readonly List<string> _answers = [];

    [Fact]
    public async Task No_secret_is_in_any_sink()
    {
        using var data = new DataFolder();
        var place = Directory.CreateTempSubdirectory("sallyport-secrets-");
        try
        {
            var error = "";
            var metrics = "";
            var adminUrl = GateProcess.OriginOf(Ports.Free());
            await using var collector = await OtlpReceiver.StartAsync();
            await using (var gate = await GateProcess.StartAsync(data, Ports.Free(), arguments => ChildProcess.Start(
                "dotnet", [Executable.Path, .. arguments, "--admin-urls", adminUrl], workingDirectory: place.FullName,
                environment: new Dictionary<string, string>([.. s_verbose, .. collector.Variables, KeyValuePair.Create("OTEL_EXPORTER_OTLP_HEADERS", "api-key=" + _canaries.Plant("collector's key"))]) { ["TMPDIR"] = place.FullName, ["DOTNET_EventPipeOutputPath"] = Path.Combine(place.FullName, "trace.nettrace") })))
            {
                var client = await UseAsync(gate, data);
                await MisuseAsync(gate, client);
                await BreakAsync(gate, data, client);
                metrics = await client.Http.GetStringAsync(adminUrl + "/metrics", TestContext.Current.CancellationToken);
                await gate.StopAsync();
                error = gate.Output + gate.Error;
            }

            // The search can find: what may be in a sink is found there.
            var log = new List<byte>();
            foreach (var file in Directory.EnumerateFiles(Path.Combine(data.Path, "log")))
                log.AddRange(await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken));
            Assert.True(log.ToArray().AsSpan().IndexOf(Encoding.ASCII.GetBytes(RedirectUrl)) >= 0);
            Assert.Contains("failed", error, StringComparison.Ordinal);
            Assert.True(_canaries.Count > 35);

            var found = new List<string>();
            foreach (var path in Directory.EnumerateFiles(data.Path, "*", SearchOption.AllDirectories).Concat(place.EnumerateFiles().Select(file => file.FullName)))
                found.AddRange(_canaries.FindIn(await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken))
                    .Where(secret => !MayLie(secret, path))
                    .Select(secret => $"{path}: {secret}"));
            found.AddRange(_canaries.FindIn(Encoding.UTF8.GetBytes(error)).Select(secret => $"stdout, stderr: {secret}"));
            Assert.Contains("sallyport_refusals_total", metrics, StringComparison.Ordinal);
            found.AddRange(_canaries.FindIn(Encoding.UTF8.GetBytes(metrics)).Select(secret => $"metrics: {secret}"));
            Assert.NotEmpty(collector.Traces);
            Assert.NotEmpty(collector.Metrics);
            found.AddRange(collector.Traces.Concat(collector.Metrics).SelectMany(_canaries.FindIn).Select(secret => $"OTLP: {secret}"));
            foreach (var reader in ReadersOf(Recording.ReadFiles(data)))
            {
                var finished = await Executable.RunAsync([.. reader, "--data", data.Path]);
                // A report ends with its verdict.
                Assert.True(finished.ExitCode == (int)ExitCode.Success || (reader[1] == "report" && finished.ExitCode == (int)ExitCode.NotProven), $"{string.Join(' ', reader)}: {finished.ExitCode} {finished.Error}");
                Assert.NotEmpty(finished.Output);
                found.AddRange(_canaries.FindIn(Encoding.UTF8.GetBytes(finished.Output + finished.Error)).Select(secret => $"{string.Join(' ', reader)}: {secret}"));
            }
            found.AddRange(await SearchBackupAsync(data, place.FullName));
            Assert.Empty(found);

            // What a stranger is told of a fault: neither where it is nor of what it is made.
            Assert.All(_answers, answer => Assert.DoesNotMatch("(?i)   at |exception|\\.cs|sqlite|kestrel|asp\\.net|/tmp/|sallyport/0|0\\.1\\.0", answer));
        }
        finally
        {
            place.Delete(recursive: true);
        }
    }

    /// <summary>A backup that was stolen has no usable secret: neither what it says nor the files that are made on the way.</summary>
    private async Task<IEnumerable<string>> SearchBackupAsync(DataFolder data, string place)
    {
        var (file, keys, passphrase) = (Path.Combine(place, "backup.tar.gz"), Path.Combine(place, "keys"), _canaries.Plant("passphrase"));
        var finished = await Executable.RunWithInputAsync(passphrase, "backup", file, "--keys", keys, "--passphrase-stdin", "--data", data.Path);
        Assert.True(finished.ExitCode == (int)ExitCode.Success, finished.Error);
        await using var archive = File.OpenRead(file);
        await using var gzip = new GZipStream(archive, CompressionMode.Decompress);
        using var unpacked = new MemoryStream();
        await gzip.CopyToAsync(unpacked, TestContext.Current.CancellationToken);
        Assert.True(unpacked.ToArray().AsSpan().IndexOf(Encoding.ASCII.GetBytes(RedirectUrl)) >= 0);
        return
        [
            .. _canaries.FindIn(unpacked.ToArray()).Select(secret => $"backup: {secret}"),
            .. _canaries.FindIn(await File.ReadAllBytesAsync(keys, TestContext.Current.CancellationToken)).Select(secret => $"key file: {secret}"),
            .. _canaries.FindIn(Encoding.UTF8.GetBytes(finished.Output + finished.Error)).Select(secret => $"backup's words: {secret}"),
        ];
    }

    /// <summary>The owner link is meant to lie in its file; it is dead once it was used.</summary>
    private static bool MayLie(string secret, string path) =>
        secret.StartsWith("owner link", StringComparison.Ordinal) && Path.GetFileName(path) == "owner-link";

    /// <summary>Every secret where it belongs.</summary>
    private async Task<Client> UseAsync(GateProcess gate, DataFolder data)
    {
        // The owner, by the link; a user, from the shell.
        var password = _canaries.Plant("password");
        var link = (await File.ReadAllTextAsync(Path.Combine(data.Path, "owner-link"), TestContext.Current.CancellationToken)).Trim();
        _canaries.Note("owner link", link[(link.IndexOf('=') + 1)..]);
        using var browser = new Browser();
        using (var page = await browser.OpenAsync(link))
        using (var enrolled = await browser.FillInAsync(page, new() { ["username"] = UserName, ["password"] = password }))
            Assert.Equal(HttpStatusCode.OK, enrolled.StatusCode);
        foreach (var cookie in browser.Cookies)
            _canaries.Note($"owner's cookie {cookie.Name}", cookie.Value);
        await Executable.AddUserAsync(data, "added", _canaries.Plant("password at the shell"));

        var http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, ActivityHeadersPropagator = null }) { BaseAddress = new(gate.Origin) };
        var registration = await SendAsync(http, HttpMethod.Post, "/register", Json($$"""{"client_name":"App","redirect_uris":["{{RedirectUrl}}"],"token_endpoint_auth_method":"client_secret_post","software_id":"{{_canaries.Plant("unknown metadata")}}"}"""));
        var client = new Client(http, Text(registration, "client_id"), _canaries.Note("client secret", Text(registration, "client_secret")), password);

        // Wrong credentials, then right ones, with a state and a verifier.
        using var stranger = new Browser();
        using (var page = await SignInPageAsync(stranger, gate, AuthorizeUrl(gate, client, "x", "0")))
        using (var refused = await stranger.FillInAsync(page, new() { ["username"] = _canaries.Plant("password as user name"), ["password"] = _canaries.Plant("wrong password") }))
            Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        foreach (var cookie in stranger.Cookies)
            _canaries.Note($"stranger's cookie {cookie.Name}", cookie.Value);

        var verifier = _canaries.Note("verifier", "Verifier" + Convert.ToHexString(RandomNumberGenerator.GetBytes(24)));
        var code = await CodeAsync(gate, client, verifier, _canaries.Plant("state"), "code", cookies: true);
        var tokens = await TokenAsync(client, [("grant_type", "authorization_code"), ("code", code), ("code_verifier", verifier), ("redirect_uri", RedirectUrl)]);
        client.AccessToken = _canaries.Note("access token", Text(tokens, "access_token"));
        var refreshed = await TokenAsync(client, [("grant_type", "refresh_token"), ("refresh_token", _canaries.Note("refresh token", Text(tokens, "refresh_token")))]);
        _canaries.Note("second access token", Text(refreshed, "access_token"));
        client.RefreshToken = _canaries.Note("second refresh token", Text(refreshed, "refresh_token"));

        // A code that is redeemed with the wrong verifier, and one that is given up.
        var second = await CodeAsync(gate, client, verifier, "s", "code with the wrong verifier", cookies: false);
        await SendAsync(http, HttpMethod.Post, "/token", client.Form([("grant_type", "authorization_code"), ("code", second), ("code_verifier", _canaries.Note("wrong verifier", "Wrong" + Convert.ToHexString(RandomNumberGenerator.GetBytes(24)))), ("redirect_uri", RedirectUrl)]));
        await CodeAsync(gate, client, verifier, "s", "code that is not redeemed", cookies: false);

        // A tool call, with all that can stand around it.
        (string Name, string Value)[] headers =
        [
            ("Authorization", "Bearer " + client.AccessToken),
            ("Accept", "application/json, text/event-stream"),
            ("X-Api-Key", _canaries.Plant("X-Api-Key")),
            ("X-Forwarded-User", _canaries.Plant("X-Forwarded-User")),
            ("Cookie", "session=" + _canaries.Plant("foreign cookie")),
            ("Proxy-Authorization", "Basic " + _canaries.Plant("Proxy-Authorization")),
            ("traceparent", $"00-{_canaries.Note("trace id", Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)))}-{_canaries.Note("parent id", Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8)))}-01"),
            ("tracestate", "vendor=" + _canaries.Plant("tracestate")),
            ("baggage", "user=" + _canaries.Plant("baggage")),
            ("Referer", "http://localhost/?code=" + _canaries.Plant("code in a Referer")),
            ("User-Agent", "agent/1"),
        ];
        using var opened = await RawAsync(http, HttpMethod.Post, "/mcp", Json(Initialize(_canaries.Plant("clientInfo"))), headers);
        Assert.Equal(HttpStatusCode.OK, opened.StatusCode);
        var session = ("Mcp-Session-Id", opened.Headers.GetValues("Mcp-Session-Id").Single());
        using var called = await RawAsync(http, HttpMethod.Post, "/mcp", Json($$$"""{"jsonrpc":"2.0","id":"{{{_canaries.Plant("message id")}}}","method":"tools/call","params":{"name":"echo","arguments":{"message":"{{{_canaries.Plant("tool argument")}}}"},"_meta":{"token":"{{{_canaries.Plant("_meta")}}}"} } }"""), [.. headers, session]);
        Assert.Equal(HttpStatusCode.OK, called.StatusCode);
        return client;
    }

    /// <summary>Secrets where they do not belong.</summary>
    private async Task MisuseAsync(GateProcess gate, Client client)
    {
        foreach (var scheme in (string[])["Basic", "Digest", "Negotiate", "DPoP", "bearer", "Token"])
        {
            using var refused = await RawAsync(client.Http, HttpMethod.Post, "/mcp", Json("{}"), [("Authorization", $"{scheme} {_canaries.Plant($"{scheme} credentials")}")]);
            Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        }
        var basic = Convert.ToBase64String(Encoding.ASCII.GetBytes($"{client.Id}:{_canaries.Plant("wrong client secret")}"));
        await SendAsync(client.Http, HttpMethod.Post, "/token", new FormUrlEncodedContent([new("grant_type", "refresh_token")]), ("Authorization", "Basic " + basic));
        var forged = _canaries.Note("forged token", client.AccessToken[..^8] + "AAAAAAAA");
        foreach (var path in (string[])[
            $"/mcp?access_token={client.AccessToken}", $"/mcp?access_token={_canaries.Plant("token in the query")}", $"/mcp/{client.AccessToken}",
            $"/{client.RefreshToken}/x", $"/enrol?token={_canaries.Plant("enrolment token")}", $"/consent?transaction={_canaries.Plant("transaction")}",
            $"/authorize?client_id={client.Id}&redirect_uri={RedirectUrl}&client_secret={client.Secret}&password={_canaries.Plant("password in the query")}",
            $"/authorize?client_id={_canaries.Plant("client id that is a secret")}&redirect_uri={RedirectUrl}?token={_canaries.Plant("token in a redirect URI")}",
            $"/.well-known/oauth-protected-resource/{client.Secret}", $"/token?client_secret={client.Secret}", $"/messages/?session_id={_canaries.Plant("session id")}"])
        {
            await SendAsync(client.Http, HttpMethod.Get, path, null, ("Authorization", "Bearer " + forged));
            await SendAsync(client.Http, HttpMethod.Post, path, Json("{}"), ("Origin", "https://" + _canaries.Plant("origin " + path)));
        }
        // The names of things, with the secrets of ours in them.
        await SendAsync(client.Http, HttpMethod.Post, "/mcp", Json($$$"""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"{{{client.RefreshToken}}}"} }"""), ("Authorization", "Bearer " + client.AccessToken));
        await SendAsync(client.Http, HttpMethod.Post, "/mcp", Json($$$"""{"jsonrpc":"2.0","id":1,"method":"{{{client.Secret}}}"}"""), ("Authorization", "Bearer " + client.AccessToken));
        await SendAsync(client.Http, HttpMethod.Post, "/revoke", client.Form([("token", _canaries.Plant("unknown token"))]));

        // What can't be parsed, and what isn't HTTP.
        foreach (var path in (string[])["/mcp", "/register", "/token", "/revoke", "/signin", "/consent", "/enrol"])
        {
            foreach (var type in (string[])["application/json", "application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=b"])
                await SendAsync(client.Http, HttpMethod.Post, path, new StringContent($$"""{"password":"{{_canaries.Plant($"broken body {path} {type}")}}" %zz&""", Encoding.UTF8, MediaTypeHeaderValue.Parse(type)), ("Authorization", "Bearer " + client.AccessToken));
        }
        foreach (var request in (string[])[
            $"GET /{_canaries.Plant("broken request line")} HTTP/9.9\r\n\r\n",
            $"GET / HTTP/1.1\r\nHost: localhost:{gate.Port}\r\nAuthor\0ization: {_canaries.Plant("broken header")}\r\n\r\n",
            $"GET / HTTP/1.1\r\nHost: {_canaries.Plant("Host")}\r\nConnection: close\r\n\r\n",
            $"{client.AccessToken} / HTTP/1.1\r\nHost: localhost:{gate.Port}\r\nConnection: close\r\n\r\n",
            $"POST /token HTTP/1.1\r\nHost: localhost:{gate.Port}\r\nTransfer-Encoding: chunked\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n{_canaries.Plant("broken chunk")}\r\n\r\n",
            $"POST /token HTTP/1.1\r\nHost: localhost:{gate.Port}\r\nContent-Length: 900\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\ncode={_canaries.Plant("body that breaks off")}"])
        {
            using var connection = new TcpClient("localhost", gate.Port);
            var stream = connection.GetStream();
            await stream.WriteAsync(Encoding.Latin1.GetBytes(request), TestContext.Current.CancellationToken);
            connection.Client.Shutdown(SocketShutdown.Send);
            using var reader = new StreamReader(stream);
            try
            {
                _answers.Add(await reader.ReadToEndAsync(TestContext.Current.CancellationToken));
            }
            catch (IOException)
            {
                // Cut off, which is an answer too.
            }
        }
    }

    /// <summary>Faults of the gate's own, while it has secrets in its hands: a row of the database that can't be read.</summary>
    private async Task BreakAsync(GateProcess gate, DataFolder data, Client client)
    {
        await using (var connection = new SqliteConnection($"Data Source={Path.Combine(data.Path, "sallyport.db")};Pooling=False"))
        {
            await connection.OpenAsync(TestContext.Current.CancellationToken);
            await using var command = connection.CreateCommand();
            command.CommandText = "UPDATE Clients SET RedirectUris = '{'";
            Assert.True(await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken) > 0);
        }
        var secret = _canaries.Plant("secret in a fault");
        using var fault = await RawAsync(client.Http, HttpMethod.Post, "/token", client.Form([("grant_type", "authorization_code"), ("code", secret), ("code_verifier", secret)]));
        Assert.Equal(HttpStatusCode.InternalServerError, fault.StatusCode);
        _answers.Add(await fault.Content.ReadAsStringAsync(TestContext.Current.CancellationToken) + fault.Headers);
        using var page = new Browser();
        using var shown = await page.OpenAsync(AuthorizeUrl(gate, client, secret, "0"));
        Assert.Equal(HttpStatusCode.InternalServerError, shown.StatusCode);
        _answers.Add(await shown.Content.ReadAsStringAsync(TestContext.Current.CancellationToken) + shown.Headers);
    }

    private async Task<string> CodeAsync(GateProcess gate, Client client, string verifier, string state, string name, bool cookies)
    {
        using var browser = new Browser();
        var target = await browser.AllowAsync(AuthorizeUrl(gate, client, state, verifier), RedirectUrl, UserName, client.Password);
        if (cookies)
        {
            foreach (var cookie in browser.Cookies)
                _canaries.Note($"user's cookie {cookie.Name}", cookie.Value);
        }
        return _canaries.Note(name, QueryHelpers.ParseQuery(target!.Query)["code"].Single()!);
    }

    private static string AuthorizeUrl(GateProcess gate, Client client, string state, string verifier) =>
        QueryHelpers.AddQueryString(gate.Origin + "/authorize", new Dictionary<string, string?>
        {
            ["response_type"] = "code",
            ["client_id"] = client.Id,
            ["redirect_uri"] = RedirectUrl,
            ["state"] = state,
            ["code_challenge"] = WebEncoders.Base64UrlEncode(SHA256.HashData(Encoding.ASCII.GetBytes(verifier))),
            ["code_challenge_method"] = "S256",
        });

    private static async Task<HttpResponseMessage> SignInPageAsync(Browser browser, GateProcess gate, string authorizeUrl)
    {
        using var redirect = await browser.OpenAsync(authorizeUrl);
        return await browser.OpenAsync(gate.Origin + redirect.Headers.Location);
    }

    private static async Task<JsonElement> TokenAsync(Client client, (string, string)[] fields)
    {
        using var response = await RawAsync(client.Http, HttpMethod.Post, "/token", client.Form(fields));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).RootElement;
    }

    /// <summary>The answer's text is kept; what the gate is right to give its own client is not judged.</summary>
    private async Task<JsonElement> SendAsync(HttpClient http, HttpMethod method, string path, HttpContent? content, params (string Name, string Value)[] headers)
    {
        using var response = await RawAsync(http, method, path, content, headers);
        Assert.NotEqual(HttpStatusCode.InternalServerError, response.StatusCode);
        var text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        if (!response.IsSuccessStatusCode)
            _answers.Add(text + response.Headers);
        return response.Content.Headers.ContentType?.MediaType == "application/json" ? JsonDocument.Parse(text).RootElement : default;
    }

    private static Task<HttpResponseMessage> RawAsync(HttpClient http, HttpMethod method, string path, HttpContent? content, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(method, path) { Content = content };
        foreach (var (name, value) in headers)
            Assert.True(request.Headers.TryAddWithoutValidation(name, value));
        return http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
    }

    private static StringContent Json(string json) => new(json, Encoding.UTF8, "application/json");

    private static string Text(JsonElement json, string name) => json.GetProperty(name).GetString()!;

    private static string Initialize(string clientInfo) =>
        $$$"""{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"{{{clientInfo}}}","version":"1"} } }""";

    private sealed record Client(HttpClient Http, string Id, string Secret, string Password)
    {
        public string AccessToken { get; set; } = "";
        public string RefreshToken { get; set; } = "";

        public FormUrlEncodedContent Form((string Name, string Value)[] fields) =>
            new(fields.Append(("client_id", Id)).Append(("client_secret", Secret)).Select(field => KeyValuePair.Create(field.Item1, field.Item2)));
    }
}
