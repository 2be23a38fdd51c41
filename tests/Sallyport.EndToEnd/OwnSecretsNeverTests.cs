using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.WebUtilities;
using Sallyport.EndToEnd.Support;

namespace Sallyport.EndToEnd;

/// <summary>Secrets never: what the gate has in its environment, what its identity provider gives it, what it gives its upstreams, and its own keys are in no sink.</summary>
public sealed partial class OwnSecretsNeverTests
{
    private const string RedirectUrl = "http://localhost:8123/callback";

    [Fact]
    public async Task No_secret_that_it_has_for_others_is_in_any_sink_whether_they_take_it_or_fail()
    {
        await using var sinks = await Sinks.OpenAsync();
        var canaries = sinks.Canaries;
        var port = Ports.Free();
        var environment = new Dictionary<string, string>
        {
            ["PROVIDER_SECRET"] = canaries.Plant("client secret at the provider"),
            ["FINDINGS_SECRET"] = "whsec_" + canaries.Note("webhook's secret", Convert.ToBase64String(RandomNumberGenerator.GetBytes(32))),
            ["NOTES_KEY"] = "Bearer " + canaries.Plant("upstream's key"),
            ["COMMAND_KEY"] = canaries.Plant("command's key"),
        };
        await using var notes = new CountingServer();
        await using var webhook = await StatusServer.StartAsync(500);
        var provider = await OidcProvider.StartAsync($"{GateProcess.OriginOf(port)}/oauth/callback", environment["PROVIDER_SECRET"]);
        await using (var gate = await sinks.StartGateAsync(port, environment,
            [
                "--providers", $"{provider.Issuer} {OidcProvider.ClientId} secret-env=PROVIDER_SECRET everyone",
                "--webhook-url", webhook.Url, "--webhook-secret-env", "FINDINGS_SECRET",
                "--upstream", "notes=" + notes.Url, "--upstream-header", "notes/Authorization=NOTES_KEY", "--upstream-identity", "notes=jwt",
                "--access-tokens", "jwt", "--upstream-env", "COMMAND_KEY", .. Repository.Everything,
            ]))
        {
            using var client = await GateClient.RegisterAsync(gate.Origin, redirectUrl: RedirectUrl);

            // The upstreams get theirs.
            await UseAsync(client, canaries, client.AuthorizationUrl("/notes/mcp"), async token =>
            {
                using var answer = await client.CallAsync(token, "x", "/notes/mcp");
                var got = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
                Assert.Contains(environment["NOTES_KEY"], got, StringComparison.Ordinal);
                canaries.Note("assertion", Assertion().Match(got).Groups[1].Value);
            });
            await UseAsync(client, canaries, client.AuthorizationUrl("/mcp"), async token =>
            {
                using var answer = await client.CallAsync(token, "get-env", session: await client.OpenSessionAsync(token));
                Assert.Contains(environment["COMMAND_KEY"], await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
            });
            Assert.Equal(2, provider.Given.Count);
            foreach (var (number, given) in provider.Given.Index())
            {
                foreach (var name in (string[])["access_token", "id_token"])
                    canaries.Note($"provider's {name} {number}", JsonDocument.Parse(given).RootElement.GetProperty(name).GetString()!);
            }

            // The webhook does not take the finding that a code was used twice.
            Assert.True(await gate.Process.WritesAsync(() => gate.Error.Contains("could not be sent to the webhook", StringComparison.Ordinal)));

            // The provider refuses what came to the callback, then it is gone.
            await ComeBackAsync(client, canaries, "refused code");
            await provider.DisposeAsync();
            await ComeBackAsync(client, canaries, "code that nobody redeems");
            using (var stranger = new Browser())
            using (var refused = await stranger.OpenAsync($"{gate.Origin}/oauth/callback?code={canaries.Plant("stranger's code")}&state={canaries.Plant("stranger's state")}&iss={provider.Issuer}"))
                Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
            using (var refused = await client.CallAsync(canaries.Plant("forged token"), "x"))
                Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
            await sinks.StopAsync(gate);
        }
        NoteKeys(sinks.Data, canaries);
        Assert.True(canaries.Count > 25);

        Assert.Empty(await sinks.SearchAsync(RedirectUrl, (secret, path) => secret.StartsWith("key of the gate", StringComparison.Ordinal) && Path.GetFileName(Path.GetDirectoryName(path)) == "keys"));
    }

    /// <summary>Signs in by the provider, allows, redeems the code, uses its token, and redeems the code once more.</summary>
    private static async Task UseAsync(GateClient client, Canaries canaries, string authorizationUrl, Func<string, Task> use)
    {
        using var browser = new Browser();
        using var signIn = await browser.FollowAsync(authorizationUrl);
        using var sent = await browser.FillInAsync(signIn, []);
        using var consent = await browser.FollowAsync(sent.Headers.Location!.AbsoluteUri, passed => NoteQuery(canaries, passed));
        using var allowed = await browser.FillInAsync(consent, new() { ["decision"] = "allow" });
        var code = canaries.Note($"code {canaries.Count}", QueryHelpers.ParseQuery(allowed.Headers.Location!.Query)["code"].Single()!);
        var tokens = await GateClient.ReadTokensAsync(await client.RedeemAsync(code));
        canaries.Note($"access token {canaries.Count}", tokens.AccessToken);
        canaries.Note($"refresh token {canaries.Count}", tokens.RefreshToken);
        foreach (var cookie in browser.Cookies)
            canaries.NoteAny("cookie", cookie.Value);

        await use(tokens.AccessToken);

        using var again = await client.RedeemAsync(code);
        Assert.Equal(HttpStatusCode.BadRequest, again.StatusCode);
    }

    /// <summary>Goes to the provider, and comes back with a code that it did not give.</summary>
    private static async Task ComeBackAsync(GateClient client, Canaries canaries, string name)
    {
        using var browser = new Browser();
        using var signIn = await browser.FollowAsync(client.AuthorizationUrl("/mcp"));
        using var sent = await browser.FillInAsync(signIn, []);
        NoteQuery(canaries, sent.Headers.Location!);
        var query = QueryHelpers.ParseQuery(sent.Headers.Location!.Query);
        using var refused = await browser.OpenAsync($"{query["redirect_uri"]}?code={canaries.Plant(name)}&state={query["state"]}&iss={Uri.EscapeDataString(sent.Headers.Location!.GetLeftPart(UriPartial.Authority))}");
        Assert.InRange((int)refused.StatusCode, 400, 599);
    }

    /// <summary>What goes to the provider and back with the browser.</summary>
    private static void NoteQuery(Canaries canaries, Uri passed)
    {
        var query = QueryHelpers.ParseQuery(passed.Query);
        foreach (var name in (string[])["state", "nonce", "code"])
        {
            if (query.TryGetValue(name, out var value))
                canaries.NoteAny(name, value.Single()!);
        }
    }

    private static void NoteKeys(DataFolder data, Canaries canaries)
    {
        foreach (var path in Directory.EnumerateFiles(Path.Combine(data.Path, "keys")))
        {
            var text = File.ReadAllText(path);
            var name = "key of the gate: " + Path.GetFileName(path);
            if (Path.GetFileName(path) == "log.key")
                canaries.Note(name, text.TrimEnd('\n').Split('+', 5)[^1]);
            else if (Path.GetExtension(path) == ".xml")
                canaries.Note(name, text.Split("<value>")[1].Split("</value>")[0]);
            else
                canaries.Note(name, text);
        }
    }

    [GeneratedRegex(@"[Ss]allyport-[Jj]wt-[Aa]ssertion: ([\w-]+\.[\w-]+\.[\w-]+)")]
    private static partial Regex Assertion();
}
