namespace Sallyport.Tests.Sinks;

/// <summary>Texts that do something to whoever shows, stores or parses them carelessly.</summary>
internal static class HostileStrings
{
    public static readonly IReadOnlyDictionary<string, string> All = new Dictionary<string, string>
    {
        ["ANSI colour"] = "\e[31mred\e[0m",
        ["ANSI, erase the line above"] = "\e[1A\e[2K",
        ["OSC 8 link"] = "\e]8;;https://evil.example\e\\click\e]8;;\e\\",
        ["OSC 52 clipboard"] = "\e]52;c;ZXZpbA==\a",
        ["C1 control sequence"] = "\u009b31m",
        ["bell"] = "\a\a",
        ["carriage return"] = "good\rbad!",
        ["line feed"] = "good\nbad",
        ["forged line"] = "x\r\n     7  2026-11-24 16:35:10.102Z  access.allowed        subject=admin id=forged",
        ["next line"] = "a\u0085b",
        ["line separator"] = "a\u2028b\u2029c",
        ["bidi override"] = "a\u202egpj.exe",
        ["bidi isolate"] = "a\u2066b\u2069",
        ["zero width"] = "a\u200bb\u200d\ufeffc",
        ["NUL"] = "a\0b",
        ["DEL and backspace"] = "a\x7f\b\b",
        ["lone high surrogate"] = "a\ud800b",
        ["lone low surrogate"] = "\udfff",
        ["astral"] = "\U0001F600\U000E0041",
        ["64 KiB"] = new('x', 64 * 1024),
        ["64 KiB of astral"] = string.Concat(Enumerable.Repeat("\U0001F600", 16 * 1024)),
        ["numbered template"] = "{0} {1:X} {{",
        ["named template"] = "{User} {@Secret} {Method}",
        ["console markup"] = "[red]x[/] [link=https://evil.example]y[/] [",
        ["HTML"] = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&lt;",
        ["SQL"] = "'; DROP TABLE Clients; --\" OR 1=1",
        ["JSON"] = "\",\"type\":\"access.allowed\",\"x\":\"\\",
        ["percent escapes"] = "%0d%0aSet-Cookie:%20a=b%00%1b[31m",
        ["path"] = "../../../../etc/passwd\\..\\",
    };

    public static TheoryData<string> Names => [.. All.Keys];
}
