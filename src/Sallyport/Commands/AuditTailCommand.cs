using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;

namespace Sallyport.Commands;

/// <summary><c>audit tail</c>: the newest events, one a line. It only reads, whether or not a gate is running.</summary>
internal static class AuditTailCommand
{
    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(200);
    private static readonly string[] s_shownFirst = ["type", "id", "time", "elapsed"];

    private static readonly Option<int> s_count = new("--count", "-n") { Description = "How many events to begin with", HelpName = "COUNT", DefaultValueFactory = _ => 20 };
    private static readonly Option<bool> s_follow = new("--follow", "-f") { Description = "Go on with new events as they come" };
    private static readonly Option<bool> s_json = new("--json") { Description = "JSON lines: number and event" };

    public static Command Create()
    {
        s_count.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && (!int.TryParse(result.Tokens[0].Value, NumberStyles.None, CultureInfo.InvariantCulture, out _)))
                result.AddError($"'{result.Tokens[0].Value}' is no number of events");
        });
        var command = new Command("tail", "Show the newest events of the log") { s_count, s_follow, s_json, CommandLine.Data };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var directory = new DataDirectory(parsed.GetValue(CommandLine.Data) ?? GateConfiguration.DefaultDataDirectory());
        var json = parsed.GetValue(s_json);
        if (JournalFiles.Segments(directory.Log).Count == 0 && !parsed.GetValue(s_follow))
            throw new CommandFault(ExitCode.Unavailable, $"There is no log in {directory.Root}", "Name the gate's data directory with --data; the gate prints it when it starts");

        var latest = JournalFiles.ReadLatest(directory.Log).ToList();
        foreach (var leaf in latest.TakeLast(Math.Max(0, parsed.GetValue(s_count))))
            Write(leaf, json);
        if (!parsed.GetValue(s_follow))
            return (int)ExitCode.Success;
        var follower = new JournalFollower(directory.Log, latest.Count > 0 ? latest[^1].Index + 1 : 0);
        try
        {
            while (true)
            {
                await Task.Delay(s_poll, TimeProvider.System, cancellationToken);
                foreach (var leaf in follower.ReadNew())
                    Write(leaf, json);
            }
        }
        catch (OperationCanceledException)
        {
            return (int)ExitCode.Success;
        }
    }

    private static void Write(Leaf leaf, bool json)
    {
        Console.Out.WriteLine(json
            ? $"{{\"number\":{leaf.Index.ToString(CultureInfo.InvariantCulture)},\"event\":{Encoding.UTF8.GetString(leaf.Bytes)}}}"
            : Line(leaf));
    }

    /// <summary>
    /// Values stand as the leaf has them, JSON-escaped and in ASCII: nothing in them can move the cursor, end the line or pass for
    /// another value.
    /// </summary>
    public static string Line(Leaf leaf)
    {
        using var document = JsonDocument.Parse(leaf.Bytes);
        var root = document.RootElement;
        var line = new StringBuilder()
            .Append(CultureInfo.InvariantCulture, $"{leaf.Index,6}  {root.GetProperty("time").GetDateTimeOffset():yyyy-MM-dd HH:mm:ss.fff}Z  {root.GetProperty("type").GetString(),-21}");
        foreach (var member in root.EnumerateObject().Where(member => !s_shownFirst.Contains(member.Name)))
            line.Append(' ').Append(member.Name).Append('=').Append(Shown(member.Value));
        return line.Append(" id=").Append(root.GetProperty("id").GetString()).ToString();
    }

    /// <summary>A plain word goes without its quotes.</summary>
    private static string Shown(JsonElement value)
    {
        var raw = value.GetRawText();
        return value.ValueKind == JsonValueKind.String && raw.Length > 2 && raw.AsSpan(1, raw.Length - 2).IndexOfAny(" \\=\"") < 0 ? raw[1..^1] : raw;
    }
}
