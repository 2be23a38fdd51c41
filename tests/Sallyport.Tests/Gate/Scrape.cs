using System.Globalization;
using System.Text.RegularExpressions;

namespace Sallyport.Tests.Gate;

/// <summary>What a scraper reads: series, each with its value.</summary>
internal sealed partial class Scrape
{
    private readonly Dictionary<string, double> _series;

    public Scrape(string text)
    {
        Text = text;
        _series = text.Split('\n').Where(line => line.Length > 0 && line[0] != '#').Select(line => Line().Match(line))
            .ToDictionary(match => match.Groups["series"].Value, match => double.Parse(match.Groups["value"].Value.Replace("+Inf", "Infinity"), CultureInfo.InvariantCulture), StringComparer.Ordinal);
    }

    public string Text { get; }

    public IReadOnlyCollection<string> Series => _series.Keys;

    public IReadOnlySet<string> Names => _series.Keys.Select(series => series.Split('{')[0]).ToHashSet(StringComparer.Ordinal);

    /// <summary>The sum of all series of a name that have these labels, each as <c>name="value"</c>; null where there is none.</summary>
    public double? Value(string name, params string[] labels)
    {
        var found = _series.Where(series => series.Key.Split('{')[0] == name && labels.All(label => series.Key.Contains(label, StringComparison.Ordinal))).ToList();
        return found.Count == 0 ? null : found.Sum(series => series.Value);
    }

    [GeneratedRegex(@"^(?<series>[a-zA-Z_:][a-zA-Z0-9_:]*(\{.*\})?) (?<value>\S+)")]
    private static partial Regex Line();
}
