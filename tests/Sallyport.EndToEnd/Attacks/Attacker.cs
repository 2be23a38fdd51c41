using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.WebUtilities;
using Sallyport.EndToEnd.Support;

namespace Sallyport.EndToEnd.Attacks;

/// <summary>Who sends a case's requests: what it knows by now, the browsers that it has, and the ways to where a case begins.</summary>
internal sealed partial class Attacker
{
    public const string UserName = "alice";
    public const string OthersName = "bob";
    private const string UsersBrowser = "the user's browser", OthersBrowser = "another user's browser";

    /// <summary>What is no secret of those that it knows.</summary>
    private static readonly HashSet<string> s_public = ["origin", "host", "resource", "redirect", "client", "challenge", "user", "name", "each", "auth_method", "scope", "transaction", "other", "wrong_basic", "session"];

    private readonly GateProcess _gate;
    private readonly int _port;
    private readonly Canaries _canaries;
    private readonly Dictionary<string, string> _known;
    private readonly Dictionary<string, Dictionary<string, string>> _browsers;

    /// <param name="port">Where it sends to: the gate's, or a proxy's.</param>
    /// <param name="signedIn">The cookies of a browser in which the user has signed in; shared by all cases.</param>
    /// <param name="othersSignedIn">Likewise of another user.</param>
    public Attacker(GateProcess gate, int port, string password, Dictionary<string, string> signedIn, Dictionary<string, string> othersSignedIn, AttackCase attackCase, Canaries canaries)
    {
        (_gate, _port, _canaries) = (gate, port, canaries);
        _browsers = new() { [UsersBrowser] = signedIn, [OthersBrowser] = othersSignedIn };
        var verifier = WebEncoders.Base64UrlEncode(RandomNumberGenerator.GetBytes(32));
        _known = new()
        {
            ["origin"] = gate.Origin,
            ["host"] = gate.Origin["http://".Length..],
            ["resource"] = gate.Origin + "/mcp",
            ["redirect"] = "https://client.example/callback",
            ["auth_method"] = "none",
            ["scope"] = "mcp",
            ["user"] = UserName,
            ["password"] = password,
            ["name"] = attackCase.Id,
            ["state"] = "State" + RandomNumberGenerator.GetHexString(24),
            ["verifier"] = verifier,
            ["challenge"] = WebEncoders.Base64UrlEncode(SHA256.HashData(Encoding.ASCII.GetBytes(verifier))),
        };
        foreach (var (name, value) in attackCase.Let)
            _known[name] = Expand(value);
        foreach (var (name, value) in _known)
            Note(name, value);
    }

    public string this[string name] => _known[name];

    /// <summary>Goes to where a case begins.</summary>
    public async Task SetUpAsync(string setup)
    {
        switch (setup)
        {
            case "nothing":
                break;
            case "client":
                await DoAsync("register", 201, new() { ["client"] = "client_id", ["secret"] = "client_secret?", ["registration_token"] = "registration_access_token?" });
                break;
            case "sign-in page":
                await SetUpAsync("client");
                await OpenPageAsync("browser");
                break;
            case "consent page":
                await SetUpAsync("client");
                await OpenPageAsync(UsersBrowser);
                break;
            case "code":
                await SetUpAsync("consent page");
                await DoAsync("consent", 302, new() { ["code"] = "code" });
                break;
            case "tokens":
                await SetUpAsync("code");
                await DoAsync("code", 200, new() { ["access"] = "access_token", ["refresh"] = "refresh_token" });
                break;
            case "refreshed tokens":
                await SetUpAsync("tokens");
                await DoAsync("refresh", 200, new() { ["new_access"] = "access_token", ["new_refresh"] = "refresh_token" });
                break;
            case "revoked tokens":
                await SetUpAsync("tokens");
                await DoAsync("revoke", 200, []);
                break;
            case "session":
                await SetUpAsync("tokens");
                await DoAsync("initialize", 200, new() { ["session"] = "Mcp-Session-Id" });
                break;
            case "another user's session":
                await SetUpAsync("session");
                _browsers[UsersBrowser] = _browsers[OthersBrowser];
                await TakeOverAsync();
                break;
            case "another client's session":
                await SetUpAsync("session");
                _known["name"] += " of another";
                await TakeOverAsync();
                break;
            default:
                throw new InvalidOperationException($"There is no setup '{setup}'");
        }
    }

    /// <summary>The tokens so far are the owner's, and whoever comes now gets some too.</summary>
    private async Task TakeOverAsync()
    {
        Know("owners", this["access"]);
        await SetUpAsync("tokens");
    }

    /// <summary>Signs the user in and gives the browser's cookies.</summary>
    public async Task<Dictionary<string, string>> SignInAsync()
    {
        await SetUpAsync("sign-in page");
        await DoAsync("signin", 302, []);
        return _browsers["browser"];
    }

    public void Know(string name, string value)
    {
        Note(name, _known[name] = value);
        switch (name)
        {
            case "code":
                Know("cut_code", value[..^1]);
                Know("altered_code", value[..^1] + (value[^1] == 'A' ? 'Q' : 'A'));
                break;
            case "secret":
                Know("basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{this["client"]}:{value}")));
                Know("wrong_basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{this["client"]}:wrong")));
                break;
        }
    }

    /// <summary>Sends what a step says.</summary>
    public async Task<RawAnswer> SendAsync(AttackStep step)
    {
        var template = step.Request is { } named ? AttackFiles.Requests[named] : null;
        var browser = step.In ?? template?.In ?? "none";
        var (method, target) = Expand(step.Send ?? template!.Send).Split(' ', 2) is [var first, var second]
            ? (first, second)
            : throw new InvalidOperationException($"'{step.Send}' is no method and target");
        if (template?.Query is { } query)
            target += "?" + Encode(Changed(query, step.Set));
        var (type, body) = step.Body is { } raw ? (null, Expand(raw))
            : template?.Form is { } form ? ("application/x-www-form-urlencoded", Encode(Changed(form, step.Set)))
            : template?.Json is { } json ? ("application/json", Expand(new JsonObject(Changed(json, step.Set).Select(member => KeyValuePair.Create(member.Key, (JsonNode?)JsonSerializer.SerializeToNode(member.Value)))))!.ToJsonString())
            : (null, template?.Body is { } text ? Expand(text) : null);

        List<string> lines = [.. (template?.Headers ?? []).Concat(step.Headers).Select(Expand)];
        if (!lines.Any(line => line.StartsWith("Host:", StringComparison.OrdinalIgnoreCase)))
            lines.Insert(0, "Host: " + this["host"]);
        if (type is not null && !lines.Any(line => line.StartsWith("Content-Type:", StringComparison.OrdinalIgnoreCase)))
            lines.Add("Content-Type: " + type);
        if (CookiesOf(browser) is { Count: > 0 } cookies)
            lines.Add("Cookie: " + string.Join("; ", cookies.Select(cookie => $"{cookie.Key}={cookie.Value}")));
        var sent = body is null ? null : Encoding.UTF8.GetBytes(body);
        var answer = await new RawRequest(method, target, lines, sent).SendAsync(_port);
        KeepCookies(browser, answer);
        return answer;
    }

    /// <summary>Takes a value out of an answer: a header, a member of its JSON, a parameter of its redirect, or a hidden field of its form.</summary>
    public string? Find(RawAnswer answer, string name)
    {
        if (answer[name] is { } header)
            return header;
        if (answer["Location"] is { } location)
            return QueryHelpers.ParseQuery(new Uri(new Uri(_gate.Origin), location).Query).TryGetValue(name, out var values) ? values.Single() : null;
        if (answer["Content-Type"]?.StartsWith("application/json", StringComparison.Ordinal) == true)
            return JsonDocument.Parse(answer.Body).RootElement.TryGetProperty(name, out var member) ? member.ToString() : null;
        return Hidden().Matches(answer.Body).FirstOrDefault(field => field.Groups[1].Value == name)?.Groups[2].Value is { } value ? WebUtility.HtmlDecode(value) : null;
    }

    /// <summary>A text with what is known in the place of <c>{name}</c>, and <c>{x*100}</c> as a hundred x.</summary>
    public string Expand(string text) => Placeholder().Replace(text, match =>
    {
        var name = match.Groups[1].Value;
        return match.Groups[2].Success
            ? string.Concat(Enumerable.Repeat(name, int.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture)))
            : _known.TryGetValue(name, out var value) ? value : throw new InvalidOperationException($"Nothing is known by the name {name}");
    });

    private JsonNode? Expand(JsonNode? node) => node switch
    {
        JsonObject members => new JsonObject(members.Select(member => KeyValuePair.Create(member.Key, Expand(member.Value)))),
        JsonArray items => new JsonArray([.. items.Select(Expand)]),
        JsonValue value when value.TryGetValue(out string? text) => JsonValue.Create(Expand(text)),
        _ => node?.DeepClone(),
    };

    private async Task OpenPageAsync(string browser)
    {
        var started = await SendAsync(new() { Request = "authorize", Status = 302 });
        Know("transaction", Find(started, "transaction")!);
        var page = await SendAsync(new() { Send = "GET /signin?transaction={transaction}", In = browser, Status = 200 });
        if (page.Status == 302)
            page = await SendAsync(new() { Send = $"GET {page["Location"]}", In = browser, Status = 200 });
        Know("transaction", Find(page, "transaction")!);
        Know("antiforgery", Find(page, "antiforgery") ?? throw new InvalidOperationException($"No form is at {page}"));
    }

    private async Task DoAsync(string request, int status, Dictionary<string, string> keep)
    {
        // A client with a secret shows it; an empty parameter counts as left out.
        var secret = request != "register" && _known.TryGetValue("secret", out var known) ? known : "";
        var set = request is "code" or "refresh" or "revoke" ? new Dictionary<string, JsonElement> { ["client_secret"] = JsonSerializer.SerializeToElement(secret) } : [];
        var answer = await SendAsync(new() { Request = request, Set = set, Status = status });
        Assert.True(answer.Status == status, $"The setup's {request} was answered {answer.Status}: {answer.Body}");
        foreach (var (name, from) in keep)
        {
            if (Find(answer, from.TrimEnd('?')) is { } value)
                Know(name, value);
            else
                Assert.True(from.EndsWith('?'), $"The setup's {request} gave no {from}: {answer.Body}");
        }
    }

    private Dictionary<string, string>? CookiesOf(string browser)
    {
        if (browser == "none")
            return null;
        if (!_browsers.TryGetValue(browser, out var cookies))
            _browsers.Add(browser, cookies = []);
        return cookies;
    }

    private void KeepCookies(string browser, RawAnswer answer)
    {
        foreach (var (_, value) in answer.Headers.Where(header => header.Name.Equals("Set-Cookie", StringComparison.OrdinalIgnoreCase)))
        {
            var cookie = value.Split(';')[0].Split('=', 2);
            Note($"cookie {cookie[0]}", cookie[1]);
            if (CookiesOf(browser) is { } cookies)
                cookies[cookie[0]] = cookie[1];
        }
    }

    private void Note(string name, string value)
    {
        if (!s_public.Contains(name) && value.Length >= Canaries.Shortest)
            _canaries.NoteAny(name, value);
    }

    private List<KeyValuePair<string, JsonElement>> Changed(IReadOnlyDictionary<string, JsonElement> parameters, IReadOnlyDictionary<string, JsonElement> changes) =>
        [.. parameters.Where(parameter => !changes.ContainsKey(parameter.Key)).Concat(changes).Where(parameter => parameter.Value.ValueKind != JsonValueKind.Null)];

    private string Encode(IEnumerable<KeyValuePair<string, JsonElement>> parameters) => string.Join('&',
        from parameter in parameters
        from value in parameter.Value.ValueKind == JsonValueKind.Array ? parameter.Value.EnumerateArray().Select(value => value.GetString()!) : [parameter.Value.GetString()!]
        select $"{Uri.EscapeDataString(Expand(parameter.Key))}={Uri.EscapeDataString(Expand(value))}");

    [GeneratedRegex(@"\{([A-Za-z_&=;./:[\]\r\n]+)(?:\*([0-9]+))?\}")]
    private static partial Regex Placeholder();

    [GeneratedRegex("""<input type="hidden" name="([^"]*)" value="([^"]*)"[ /]*>""")]
    private static partial Regex Hidden();
}
