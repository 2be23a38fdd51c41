using System.Text;
using Sallyport.EndToEnd.Support;

namespace Sallyport.EndToEnd.Attacks;

/// <summary>The table of all cases in <c>docs/threat-model.md</c>, below what people wrote there.</summary>
internal static class ThreatModel
{
    private const string Begin = "<!-- The rest is written by the tests: SALLYPORT_WRITE_VECTORS=1 -->\n";

    private static readonly string s_document = Path.Combine(Repository.Root, "docs", "threat-model.md");

    public static string Table() => Split().Table;

    public static void Write(string table) => File.WriteAllText(s_document, Split().Above + table);

    public static string Render(IReadOnlyDictionary<string, AttackResult> results)
    {
        var table = new StringBuilder();
        foreach (var group in AttackFiles.Groups)
        {
            var name = group.Cases[0].Id.Split('-')[0];
            table.Append("\n### ").Append(name).Append(": ").Append(group.Title).Append("\n\n| id | what is sent | what has to come of it | result | reason in the log |\n|---|---|---|---|---|\n");
            foreach (var attackCase in group.Cases)
            {
                results.TryGetValue(attackCase.Id, out var result);
                IEnumerable<string> reasons = [.. (result?.Reasons ?? []).Concat(attackCase.Reasons).Distinct().Select(reason => $"`{reason}`")];
                string[] cells = [attackCase.Id, attackCase.Sends, attackCase.Requires, ResultOf(attackCase, result), string.Join(", ", reasons)];
                table.Append("| ").AppendJoin(" | ", cells.Select(cell => cell.Replace("|", "\\|", StringComparison.Ordinal))).Append(" |\n");
            }
        }
        return table.ToString();
    }

    private static string ResultOf(AttackCase attackCase, AttackResult? result)
    {
        var word = attackCase switch
        {
            { DoesNotApply: { } why } => $"does not apply. {why}",
            { Waits: { } why } => $"later. {why}",
            { Steps.Count: 0 } => "a test in code",
            _ => result?.Failure is null ? "passes" : "fails",
        };
        return attackCase.Note is { } note ? $"{word}. {note}" : word;
    }

    private static (string Above, string Table) Split()
    {
        var text = File.ReadAllText(s_document);
        var end = text.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length;
        return (text[..end], text[end..]);
    }
}
