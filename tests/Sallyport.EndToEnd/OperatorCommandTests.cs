using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd;

/// <summary><c>user</c>, <c>client</c> and <c>token</c>: beside a running gate, and without one.</summary>
public sealed class OperatorCommandTests(RunningGate running) : IClassFixture<RunningGate>
{
    private const string Password = "correct horse battery staple";

    /// <summary>So long may a stream outlive what it rested on.</summary>
    private static readonly TimeSpan s_atOnce = TimeSpan.FromSeconds(1);

    [Fact]
    public void Nobody_but_the_account_of_the_gate_reaches_the_socket_that_acts_are_handed_to_it_by()
    {
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(running.Data.Path, "control.sock")));
    }

    [Fact]
    public async Task A_user_is_disabled_enabled_given_a_password_and_removed_while_the_gate_runs()
    {
        var subject = await Executable.AddUserAsync(running.Data, "alice", Password);
        using var client = await GateClient.RegisterAsync(running.Gate.Origin);
        var tokens = await client.SignInAsync("alice", Password);
        using var stream = await OpenStreamAsync(tokens.AccessToken);

        // Disabled: nothing goes on, open streams included, and nothing begins.
        var disabled = await DoAsync("user", "disable", "alice");
        var returned = TimeProvider.System.GetTimestamp();
        await stream.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.InRange(TimeProvider.System.GetElapsedTime(returned), TimeSpan.Zero, s_atOnce);
        Assert.Equal(subject, disabled);
        Assert.False(await client.IsAcceptedAsync(tokens.AccessToken));
        Assert.False(await CanSignInAsync("alice", Password));
        Assert.Equal("disabled", (await UserAsync(subject)).GetProperty("state").GetString());

        // Enabled, with another password: only that one is good, and what had ended stays so.
        Assert.Equal(subject, await DoAsync("user", "enable", subject));
        var changed = await RunAsync("another good password\n", "user", "password", "alice", "--password-stdin");
        Assert.Equal((0, subject + "\n"), (changed.ExitCode, changed.Output));
        Assert.False(await CanSignInAsync("alice", Password));
        Assert.True(await CanSignInAsync("alice", "another good password"));
        Assert.False(await client.IsAcceptedAsync(tokens.AccessToken));
        Faults.Assert(await RunAsync("short\n", "user", "password", "alice", "--password-stdin"), ExitCode.RefusedInput);
        Faults.Assert(await RunAsync(Password, "user", "password", "nobody", "--password-stdin"), ExitCode.RefusedInput);

        // Removed.
        var removed = await JsonAsync("user", "remove", "alice");
        Assert.Equal(["subject"], removed.EnumerateObject().Select(member => member.Name));
        Assert.False(await CanSignInAsync("alice", "another good password"));
        Assert.DoesNotContain(await LinesAsync("user", "list"), user => user.GetProperty("subject").GetString() == subject);

        // Every act is an event, and the gate itself did it.
        var log = await running.Data.ReadLogAsync();
        Assert.Equal(
            [OperatorAct.UserAdded, OperatorAct.UserDisabled, OperatorAct.UserEnabled, OperatorAct.PasswordChanged, OperatorAct.UserRemoved],
            log.All<OperatorActed>().Where(acted => acted.Target == subject).Select(acted => acted.Act));
        Assert.Equal("serve", log.Single<Started>().Process);
    }

    [Fact]
    public async Task A_client_is_added_with_a_secret_that_is_shown_once_and_revoked_with_all_that_it_had()
    {
        await Executable.AddUserAsync(running.Data, "carol", Password);

        // By hand, or by what is known of it.
        var added = await RunAsync(null, "client", "add", "By hand", "--redirect-uri", "https://client.example/callback", "--preset", "cursor");
        Assert.Equal((int)ExitCode.Success, added.ExitCode);
        var (id, secret) = added.Output.Split('\n') is [var first, var second, ""] ? (first, second) : throw new InvalidOperationException(added.Output);
        var shown = await JsonAsync("client", "show", id);
        Assert.Equal(
            ["client_id", "client_name", "token_endpoint_auth_method", "redirect_uris", "grant_types", "resource_server", "added_by_operator", "created_at", "repeated_at", "disabled_at"],
            shown.EnumerateObject().Select(member => member.Name));
        Assert.Equal(
            ["https://client.example/callback", "cursor://anysphere.cursor-mcp/oauth/callback", "https://www.cursor.com/agents/mcp/oauth/callback", "http://localhost/callback"],
            shown.GetProperty("redirect_uris").EnumerateArray().Select(uri => uri.GetString()));
        Assert.Equal("client_secret_basic", shown.GetProperty("token_endpoint_auth_method").GetString());

        // The secret is the client's own: good at once, shown nowhere else.
        Assert.Equal(HttpStatusCode.OK, await IntrospectAsync(id, secret));
        foreach (var elsewhere in new[] { await RunAsync(null, "client", "show", id), await RunAsync(null, "client", "list"), await RunAsync(null, "client", "list", "--json") })
        {
            Assert.Contains(id, elsewhere.Output);
            Assert.DoesNotContain(secret, elsewhere.Output);
        }

        // A public client gets none; one without redirect URIs is a resource server.
        var open = await JsonAsync("client", "add", "Open", "--public", "--preset", "claude");
        Assert.Equal(JsonValueKind.Null, open.GetProperty("client_secret").ValueKind);
        var server = await JsonAsync("client", "add", "A server");
        Assert.True((await JsonAsync("client", "show", server.GetProperty("client_id").GetString()!)).GetProperty("resource_server").GetBoolean());
        Faults.Assert(await RunAsync(null, "client", "add", "Bad", "--redirect-uri", "javascript:alert(1)"), ExitCode.RefusedInput);

        // Disabled: nobody is let in through it, until it is enabled.
        Assert.Equal(id, await DoAsync("client", "disable", id));
        Assert.Equal(HttpStatusCode.BadRequest, await IntrospectAsync(id, secret));
        Assert.Equal(JsonValueKind.String, (await JsonAsync("client", "show", id)).GetProperty("disabled_at").ValueKind);
        Assert.Contains("disabled", (await RunAsync(null, "client", "list")).Output, StringComparison.Ordinal);
        await DoAsync("client", "enable", id);
        Assert.Equal(HttpStatusCode.OK, await IntrospectAsync(id, secret));

        // Revoked: it is not known any more, whoever it was, and its tokens are good no more.
        using var registered = await GateClient.RegisterAsync(running.Gate.Origin);
        var tokens = await registered.SignInAsync("carol", Password);
        Assert.Equal(registered.Id, await DoAsync("client", "revoke", registered.Id));
        Assert.False(await registered.IsAcceptedAsync(tokens.AccessToken));
        await DoAsync("client", "revoke", id);
        Assert.Equal(HttpStatusCode.Unauthorized, await IntrospectAsync(id, secret));
        Faults.Assert(await RunAsync(null, "client", "show", id), ExitCode.RefusedInput);
        var log = await running.Data.ReadLogAsync();
        Assert.Equal([OperatorAct.ClientAdded, OperatorAct.ClientDisabled, OperatorAct.ClientEnabled, OperatorAct.ClientRevoked], log.All<OperatorActed>().Where(acted => acted.Target == id).Select(acted => acted.Act));
    }

    [Fact]
    public async Task Grants_are_listed_without_their_tokens_and_revoked_by_id_by_user_and_by_client()
    {
        var subject = await Executable.AddUserAsync(running.Data, "dave", Password);
        await Executable.AddUserAsync(running.Data, "erin", Password);
        using var client = await GateClient.RegisterAsync(running.Gate.Origin);
        using var other = await GateClient.RegisterAsync(running.Gate.Origin);
        using var erins = await GateClient.RegisterAsync(running.Gate.Origin);
        var (first, second) = (await client.SignInAsync("dave", Password), await client.SignInAsync("dave", Password));
        var (third, fourth) = (await other.SignInAsync("dave", Password), await erins.SignInAsync("erin", Password));

        // What the list says.
        var listed = await RunAsync(null, "token", "list", "--user", "dave", "--json");
        Assert.DoesNotContain("sp_", listed.Output);
        var grants = Parse(listed);
        Assert.Equal(3, grants.Count);
        Assert.Equal(
            ["grant", "subject", "user_name", "client_id", "client_name", "resource", "scope", "redirect_uri", "issued_at", "last_used_at", "expires_at", "remembered_until"],
            grants[0].EnumerateObject().Select(member => member.Name));
        Assert.All(grants, grant => Assert.Equal((subject, "dave", running.Gate.Origin + "/mcp", "mcp"),
            (Text(grant, "subject"), Text(grant, "user_name"), Text(grant, "resource"), Text(grant, "scope"))));
        Assert.All(grants, grant => Assert.InRange(grant.GetProperty("last_used_at").GetDateTimeOffset(), grant.GetProperty("issued_at").GetDateTimeOffset(), grant.GetProperty("expires_at").GetDateTimeOffset()));
        Assert.Equal([other.Id, client.Id, client.Id], grants.Select(grant => Text(grant, "client_id")));
        Assert.Equal(2, (await LinesAsync("token", "list", "--user", "dave", "--client", client.Id)).Count);
        var table = await RunAsync(null, "token", "list");
        Assert.StartsWith("GRANT ", table.Output);
        Assert.All(grants, grant => Assert.Contains(Text(grant, "grant"), table.Output));

        // By id: that one alone.
        var id = Text(grants[^1], "grant");
        Assert.Equal(id, await DoAsync("token", "revoke", id));
        Assert.Equal((false, true), (await client.IsAcceptedAsync(first.AccessToken), await client.IsAcceptedAsync(second.AccessToken)));
        Faults.Assert(await RunAsync(null, "token", "revoke", id), ExitCode.RefusedInput);

        // All of a user at a client, of a user, of a client.
        Assert.Equal(Text(grants[1], "grant"), await DoAsync("token", "revoke", "--user", "dave", "--client", client.Id));
        Assert.Equal((false, true), (await client.IsAcceptedAsync(second.AccessToken), await other.IsAcceptedAsync(third.AccessToken)));
        Assert.Equal(Text(grants[0], "grant"), await DoAsync("token", "revoke", "--user", subject));
        Assert.Equal((false, true), (await other.IsAcceptedAsync(third.AccessToken), await erins.IsAcceptedAsync(fourth.AccessToken)));
        await JsonAsync("token", "revoke", "--client", erins.Id);
        Assert.False(await erins.IsAcceptedAsync(fourth.AccessToken));
        Assert.Equal("", await DoAsync("token", "revoke", "--user", "dave"));
        var log = await running.Data.ReadLogAsync();
        Assert.Equal(4, log.All<TokenRevoked>().Count(revoked => revoked.Reason == Reason.RevokedByOperator
            && log.All<OperatorActed>().Any(acted => acted.Act == OperatorAct.TokenRevoked && acted.Target == revoked.Grant)));
    }

    [Fact]
    public async Task Without_a_gate_commands_do_it_themselves()
    {
        using var data = new DataFolder();
        await Executable.AddUserAsync(data, "alice", Password);
        foreach (var arguments in new string[][] { ["user", "disable", "alice"], ["client", "add", "Early", "--preset", "claude"], ["user", "list"], ["client", "list"], ["token", "list"] })
        {
            var finished = await Executable.RunAsync([.. arguments, "--data", data.Path]);
            Assert.True(finished.ExitCode == (int)ExitCode.Success, finished.Error);
        }

        await using var gate = await GateProcess.StartAsync(data);
        using var client = await GateClient.RegisterAsync(gate.Origin);
        Assert.Null(await client.AuthorizeAsync("alice", Password));
        var log = await data.ReadLogAsync();
        // Those that only read leave no trace.
        Assert.Equal(["user add", "user disable", "client add", "serve"], log.All<Started>().Select(start => start.Process));
    }

    [Fact]
    public async Task A_name_that_would_write_to_the_terminal_is_shown_escaped()
    {
        using var http = new HttpClient { BaseAddress = new(running.Gate.Origin) };
        using var registered = await http.PostAsJsonAsync("/register", new
        {
            client_name = "Evil\u001b[2J\u202e\u2028name",
            redirect_uris = new[] { "https://evil.example/callback" },
            token_endpoint_auth_method = "none",
        }, TestContext.Current.CancellationToken);
        var id = (await registered.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken)).GetProperty("client_id").GetString()!;

        foreach (var arguments in new string[][] { ["client", "list"], ["client", "list", "--json"], ["client", "show", id], ["client", "show", "\u001b[2J"] })
        {
            var finished = await RunAsync(null, arguments);
            Assert.DoesNotContain(finished.Output + finished.Error, character => character is not ('\n' or (>= ' ' and <= '~')));
        }
        Assert.Equal(1, (await RunAsync(null, "client", "list")).Output.Split('\n').Count(line => line.Contains(id)));
    }

    [Theory]
    [InlineData("user", "disable", "nobody")]
    [InlineData("user", "enable", "nobody")]
    [InlineData("client", "revoke", "none")]
    [InlineData("token", "list", "--user", "nobody")]
    [InlineData("token", "revoke", "--user", "nobody")]
    public async Task What_is_not_there_is_told_with_a_hint(params string[] arguments) => Faults.Assert(await RunAsync(null, arguments), ExitCode.RefusedInput);

    [Theory]
    [InlineData("token", "revoke")]
    [InlineData("token", "revoke", "some", "--user", "bob")]
    [InlineData("client", "add", "some", "--public")]
    [InlineData("client", "add", "some", "--preset", "unheard-of")]
    [InlineData("user", "disable")]
    public async Task What_makes_no_sense_is_told_with_a_hint(params string[] arguments) => Faults.Assert(await RunAsync(null, arguments), ExitCode.Usage);

    [Theory]
    [InlineData("user", "list")]
    [InlineData("client", "list")]
    [InlineData("token", "list")]
    [InlineData("user", "remove", "alice")]
    public async Task A_directory_without_a_gate_s_data_stays_as_it_is(params string[] arguments)
    {
        using var data = new DataFolder();

        Faults.Assert(await Executable.RunAsync([.. arguments, "--data", data.Path]), ExitCode.Unavailable);

        Assert.False(Directory.Exists(data.Path));
    }

    private Task<Finished> RunAsync(string? input, params string[] arguments) =>
        Executable.RunWithInputAsync(input, [.. arguments, "--data", running.Data.Path]);

    /// <summary>What it printed.</summary>
    private async Task<string> DoAsync(params string[] arguments)
    {
        var finished = await RunAsync(null, arguments);
        Assert.True(finished.ExitCode == (int)ExitCode.Success, finished.Error);
        return finished.Output.TrimEnd('\n');
    }

    private async Task<IReadOnlyList<JsonElement>> LinesAsync(params string[] arguments) => Parse(await RunAsync(null, [.. arguments, "--json"]));

    private async Task<JsonElement> JsonAsync(params string[] arguments) => Assert.Single(await LinesAsync(arguments));

    private static IReadOnlyList<JsonElement> Parse(Finished finished)
    {
        Assert.True(finished.ExitCode == (int)ExitCode.Success, finished.Error);
        return [.. finished.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonElement.Parse(line))];
    }

    private static string Text(JsonElement json, string member) => json.GetProperty(member).GetString()!;

    private async Task<JsonElement> UserAsync(string subject)
    {
        var user = Assert.Single(await LinesAsync("user", "list"), user => Text(user, "subject") == subject);
        Assert.Equal(["subject", "name", "state", "operator", "provider", "provider_subject", "disabled_at"], user.EnumerateObject().Select(member => member.Name));
        return user;
    }

    private async Task<bool> CanSignInAsync(string name, string password)
    {
        using var client = await GateClient.RegisterAsync(running.Gate.Origin);
        return await client.AuthorizeAsync(name, password) is not null;
    }

    private async Task<HttpResponseMessage> OpenStreamAsync(string accessToken)
    {
        var http = new HttpClient { BaseAddress = new(running.Gate.Origin) };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", accessToken);
        var response = await http.GetAsync("/sse", HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return response;
    }

    private async Task<HttpStatusCode> IntrospectAsync(string client, string secret)
    {
        using var http = new HttpClient { BaseAddress = new(running.Gate.Origin) };
        using var response = await http.PostAsync("/introspect", new FormUrlEncodedContent(new Dictionary<string, string>
        {
            ["token"] = "none", ["client_id"] = client, ["client_secret"] = secret,
        }), TestContext.Current.CancellationToken);
        return response.StatusCode;
    }
}
