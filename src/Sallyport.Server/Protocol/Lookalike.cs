using System.Globalization;
using System.Text;

namespace Sallyport.Server.Protocol;

/// <summary>
/// Names that people would take for a known client's, of clients whose answer goes elsewhere. Anybody may register any name; this finds
/// the plain imitations, and a name that it does not find is as unverified as before.
/// </summary>
internal static class Lookalike
{
    /// <summary>Consecutive words that are read as one name: Visual Studio Code.</summary>
    private const int MostWords = 3;

    /// <summary>A Latin letter, and what a reader takes for it: a part of Unicode's confusables (UTS #39), letters with marks, and digits.</summary>
    private static readonly Dictionary<char, char> s_looks = (
        "aаαɑáàâäãåāăą cсçćč dԁďđ eеεéèêëēėęě3 gɡğ hһ jј kкκ lіiιıíìîïīį1|łľĺ mм nñńňո oоο0óòôöõøōօ pрρ rřŕ sѕ5śšș tтτťț uυսúùûüūůű vνѵ xхχ yуýÿ zźžż")
        .Split(' ').SelectMany(letters => letters[1..].Select(seen => (seen, letters[0]))).ToDictionary();

    /// <summary>What their clients call themselves, as people read it, and by which names their callbacks are known.</summary>
    private static readonly (string Title, string[] Readings, string[] Known)[] s_clients =
    [
        ("ChatGPT", Looks("chatgpt", "openai"), ["chatgpt"]),
        ("Claude", Looks("claude", "claudeai", "claudecode", "anthropic"), ["claude", "claude-code"]),
        ("Visual Studio Code", Looks("visualstudiocode", "vscode"), ["vscode"]),
        ("Cursor", Looks("cursor"), ["cursor"]),
        // Both listen on loopback, under whichever of its names they were started with.
        ("MCP Inspector", Looks("mcpinspector"), ["inspector", "mcp-remote"]),
        ("mcp-remote", Looks("mcpremote", "mcpcliproxy"), ["mcp-remote", "inspector"]),
    ];

    /// <summary>
    /// The known client that a name is taken for while the answer does not go there, and where it goes for that one; otherwise null. A name
    /// that is taken for several has to fit each of them.
    /// </summary>
    public static (string Title, string Destination)? Of(string? name, string redirectUri)
    {
        var readings = ReadingsOf(name ?? "");
        foreach (var (title, looks, known) in s_clients)
        {
            if (looks.Any(readings.Contains) && !known.Any(entry => KnownClients.Fits(entry, redirectUri)))
                return (title, RedirectUri.Destination(KnownClients.CallbacksOf(known[0])![0]));
        }
        return null;
    }

    /// <summary>Each word as it looks, and each few of them together.</summary>
    private static HashSet<string> ReadingsOf(string name)
    {
        var looks = new StringBuilder();
        foreach (var rune in name.EnumerateRunes())
        {
            // A mark over a letter, and what is not seen at all, is passed over; all else that is no letter ends a word.
            if (Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.NonSpacingMark or UnicodeCategory.Format or UnicodeCategory.Control))
                looks.Append(Rune.IsLetterOrDigit(rune) || rune.Value == '|' ? Look(rune.ToString()) : " ");
        }
        var words = looks.ToString().Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return [.. from first in Enumerable.Range(0, words.Length) from count in Enumerable.Range(1, MostWords) where first + count <= words.Length select string.Concat(words.Skip(first).Take(count))];
    }

    private static string[] Looks(params string[] texts) => Array.ConvertAll(texts, Look);

    /// <summary>Two texts that look alike come to the same: <c>i</c> and <c>l</c> are one letter, as a capital of the one is the other.</summary>
    private static string Look(string text) => string.Concat(text.ToLowerInvariant().Select(c => s_looks.GetValueOrDefault(Narrow(c), Narrow(c))));

    /// <summary>The ASCII character that a full-width one is.</summary>
    private static char Narrow(char c) => c is >= '\uff01' and <= '\uff5e' ? (char)(c - 0xfee0) : c;
}
