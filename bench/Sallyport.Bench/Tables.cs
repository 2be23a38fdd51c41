using System.Globalization;
using Spectre.Console;

namespace Sallyport.Bench;

/// <summary>Tables on standard output; talk goes to standard error.</summary>
internal static class Tables
{
    private static readonly IAnsiConsole s_output = Console(System.Console.Out);

    public static void Say(string text) => System.Console.Error.WriteLine(text);

    public static void Write(string title, IReadOnlyList<string> columns, IEnumerable<IReadOnlyList<string>> rows, params IReadOnlyList<string> notes)
    {
        var table = new Table { Title = new(Markup.Escape(title)), Border = TableBorder.Simple };
        for (var i = 0; i < columns.Count; i++)
        {
            var column = new TableColumn(Markup.Escape(columns[i])) { NoWrap = true };
            table.AddColumn(i == 0 ? column : column.RightAligned());
        }
        foreach (var row in rows)
            table.AddRow([.. row.Select(Markup.Escape)]);
        s_output.Write(table);
        foreach (var note in notes)
            System.Console.Out.WriteLine("  " + note);
        System.Console.Out.WriteLine();
    }

    /// <summary>Median, and lowest and highest beside it.</summary>
    public static string Show(IReadOnlyList<double> rounds, string format)
    {
        var spread = Spread.Of(rounds);
        string Text(double number) => number.ToString(format, CultureInfo.InvariantCulture);
        return rounds.Count == 1 ? Text(spread.Median) : $"{Text(spread.Median)} ({Text(spread.Lowest)}–{Text(spread.Highest)})";
    }

    private static IAnsiConsole Console(TextWriter writer)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(writer) });
        if (System.Console.IsOutputRedirected)
            console.Profile.Width = 200;
        return console;
    }
}
