using System.Globalization;
using System.Text.RegularExpressions;
using Sallyport.Server.Protocol;
using Sallyport.Tests.Proof.Support;

namespace Sallyport.Tests.Protocol;

/// <summary>What holds for every input, tried on random ones; a failure tells its seed.</summary>
public sealed partial class PropertyTests
{
    private const int Tries = 200_000;

    private static readonly string[] s_registered =
    [
        "https://client.example/callback", "https://client.example/callback?tenant=1", "http://127.0.0.1/cb", "http://localhost:8787/callback",
        "http://[::1]:3000/", "http://localhost", "cursor://anysphere.cursor-mcp/oauth/callback", "com.example.app:/oauth",
    ];

    private static readonly string[] s_pieces =
    [
        "/", "//", "\\", "?", "#", "@", ":", ":80", ":443", ":65535", ":65536", ":0", ":00080", ".", "..", "/..", "%2e", "%2f", "%00", "%0a", "\n", "\t", " ", "*", "localhost", "127.0.0.1", "[::1]",
        "evil.example", ".evil.example", "@evil.example", "http", "https", "https://", "http://", "é", "A", "a", "=", "&", ";", "0", "1", "callback", "cb", "\u0130", "\uff0f",
    ];

    [Fact]
    public void A_request_matches_what_the_registered_set_names_and_nothing_else()
    {
        var dice = Dice.New();
        var matched = 0;
        for (var i = 0; i < Tries; i++)
        {
            var requested = Mutate(dice, dice.Of(s_registered));

            var matches = s_registered.Any(registered => RedirectUri.Matches(registered, requested));

            Assert.True(matches == s_registered.Any(registered => IsNamed(registered, requested)), $"SALLYPORT_SEED={dice.Seed}, {i}: {requested} {(matches ? "matches" : "does not match")}");
            matched += matches ? 1 : 0;
        }
        // It has been tried both ways.
        Assert.InRange(matched, Tries / 1_000, Tries / 2);
    }

    [Fact]
    public void A_scope_is_never_wider_than_what_was_written()
    {
        var dice = Dice.New();
        string[] words = ["mcp", "offline_access", "MCP", "mcp:", "mcpx", "offline", "_access", "*", "admin", " ", "  ", "\t", "\"", "\\", ",", "+", "%20", "\u00a0", ""];
        for (var i = 0; i < Tries; i++)
        {
            var text = string.Concat(Enumerable.Range(0, dice.Below(6)).Select(_ => dice.Of(words) + (dice.Below(2) == 0 ? " " : "")));

            var scopes = Scope.Parse(text);

            Assert.True(scopes is null
                    ? Malformed().IsMatch(text)
                    : scopes.SequenceEqual(new[] { "mcp", "offline_access" }.Where(text.Split(' ').Contains)),
                $"SALLYPORT_SEED={dice.Seed}, {i}: '{text}' gives {(scopes is null ? "nothing" : Scope.Format(scopes))}");
        }
    }

    /// <summary>The same text, or the same but for the port of an http address on loopback (RFC 8252 §7.3).</summary>
    private static bool IsNamed(string registered, string requested)
    {
        if (registered == requested)
            return true;
        var (first, second) = (Loopback().Match(registered), Loopback().Match(requested));
        return first.Success && second.Success && PortIsOne(second) && first.Groups["host"].Value == second.Groups["host"].Value && first.Groups["rest"].Value == second.Groups["rest"].Value;
    }

    private static bool PortIsOne(Match loopback) =>
        !loopback.Groups["port"].Success || (long.TryParse(loopback.Groups["port"].Value, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port <= ushort.MaxValue);

    private static string Mutate(Dice dice, string text)
    {
        for (var times = dice.Below(4); times > 0; times--)
        {
            var at = dice.Below(text.Length + 1);
            text = dice.Below(5) switch
            {
                0 => text[..at] + dice.Of(s_pieces) + text[at..],
                1 => text.Remove(Math.Min(at, Math.Max(0, text.Length - 1)), text.Length == 0 ? 0 : 1),
                2 => text[..at],
                3 => text.Replace(dice.Of(s_pieces), dice.Of(s_pieces), StringComparison.Ordinal),
                _ => PortOf().Replace(text, ":" + dice.Below(70_000).ToString(CultureInfo.InvariantCulture), 1),
            };
        }
        return text;
    }

    [GeneratedRegex(@"\Ahttp://(?<host>localhost|127\.0\.0\.1|\[::1\])(:(?<port>[0-9]+))?(?<rest>([/?].*)?)\z", RegexOptions.Singleline)]
    private static partial Regex Loopback();

    [GeneratedRegex(@"(?<=//[^/]+):[0-9]+")]
    private static partial Regex PortOf();

    [GeneratedRegex(@"[^\x20-\x7e]|[""\\]")]
    private static partial Regex Malformed();
}
