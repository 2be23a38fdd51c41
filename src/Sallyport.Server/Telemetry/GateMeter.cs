using System.Diagnostics.Metrics;

namespace Sallyport.Server.Telemetry;

/// <summary>
/// What the gate measures of itself. Whatever is exported takes all of it: an instrument has only to be made here. Labels are from closed
/// sets, or from what the operator wrote; nothing that a caller sends is ever one.
/// </summary>
internal sealed class GateMeter(IMeterFactory factory)
{
    public const string Name = "Sallyport";

    /// <summary>Of the calls that pass: from a quarter of a millisecond to a second.</summary>
    private static readonly InstrumentAdvice<double> s_short = new() { HistogramBucketBoundaries = [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1] };

    /// <summary>As the conventions for MCP have them.</summary>
    private static readonly InstrumentAdvice<double> s_operation = new() { HistogramBucketBoundaries = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300] };

    private readonly Meter _meter = factory.Create(Name);

    public Counter<long> Counter(string name, string unit, string description) => _meter.CreateCounter<long>(name, unit, description);

    public Histogram<double> ShortTime(string name, string description) => _meter.CreateHistogram(name, "s", description, tags: null, s_short);

    public Histogram<double> Operation(string name, string description) => _meter.CreateHistogram(name, "s", description, tags: null, s_operation);

    public void Gauge(string name, string unit, string description, Func<IEnumerable<Measurement<double>>> read) => _meter.CreateObservableGauge(name, read, unit, description);

    public void Gauge(string name, string unit, string description, Func<double> read) => _meter.CreateObservableGauge(name, read, unit, description);

    public static KeyValuePair<string, object?> Label(string name, string value) => new(name, value);
}
