using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Sallyport.Bench.Measures;
using Sallyport.Bench.Processes;

namespace Sallyport.Bench;

/// <summary>What was measured, part by part, as <c>bench/results.json</c> keeps it.</summary>
internal sealed class Results
{
    /// <summary>With fewer rounds nothing is kept: it was a look.</summary>
    public const int FewestRounds = 3;

    private static readonly JsonSerializerOptions s_indented = new() { WriteIndented = true, IndentSize = 2, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly string s_file = Path.Combine(Paths.Bench, "results.json");

    private readonly JsonObject _ratios = [];
    private readonly JsonObject _values = [];
    private readonly JsonObject _evidence = [];

    public bool HasFailed { get; private set; }

    /// <summary>A number that has an aim, or stands for itself: this side over that side, round by round.</summary>
    public void Ratio(string name, IReadOnlyList<double> rounds, double? atLeast = null, double? atMost = null)
    {
        var ratio = Spread.Of(rounds).ToJson();
        if (atLeast is { } least)
            ratio["aim_at_least"] = least;
        if (atMost is { } most)
            ratio["aim_at_most"] = most;
        _ratios[name] = ratio;
    }

    public void Value(string part, string name, IReadOnlyList<double> rounds)
    {
        if (_values[part] is not JsonObject values)
            _values[part] = values = [];
        values[name] = Spread.Of(rounds).ToJson();
    }

    public void Evidence(string part, JsonObject evidence) => _evidence[part] = evidence;

    /// <summary>What was measured contradicts what it is to be evidence of.</summary>
    public void Fail() => HasFailed = true;

    /// <summary>Writes the file; parts that were not measured now stay as they were. Beside the evidence of each stands on what it was measured.</summary>
    public async Task WriteAsync()
    {
        var kept = File.Exists(s_file) ? JsonNode.Parse(await File.ReadAllTextAsync(s_file)) as JsonObject : null;
        var file = kept ?? [];
        var machine = await Machine.DescribeAsync();
        foreach (var (_, part) in _evidence)
            part!["machine"] = machine.DeepClone();
        foreach (var (name, part) in new[] { ("ratios", _ratios), ("values", _values), ("evidence", _evidence) })
        {
            if (file[name] is not JsonObject known)
                file[name] = known = [];
            foreach (var (key, value) in part)
                known[key] = value!.DeepClone();
        }
        await File.WriteAllTextAsync(s_file, file.ToJsonString(s_indented) + "\n");
    }
}

/// <summary>Several rounds of one number.</summary>
internal sealed record Spread(double Median, double Lowest, double Highest, IReadOnlyList<double> Rounds)
{
    public static Spread Of(IReadOnlyList<double> rounds)
    {
        var ordered = rounds.Order().ToList();
        var middle = ordered.Count / 2;
        return new(ordered.Count % 2 == 1 ? ordered[middle] : (ordered[middle - 1] + ordered[middle]) / 2, ordered[0], ordered[^1], rounds);
    }

    public JsonObject ToJson() => new()
    {
        ["median"] = Rounded(Median),
        ["rounds"] = new JsonArray([.. Rounds.Select(round => (JsonNode)Rounded(round))]),
    };

    private static double Rounded(double number) => Math.Abs(number) >= 100 ? Math.Round(number, 1) : Math.Round(number, 4);
}
