namespace Sallyport.Server.Configuration;

/// <summary>
/// What the standard variables of OpenTelemetry say (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
/// Nothing is sent where none names an endpoint. Values may be secrets (<c>OTEL_EXPORTER_OTLP_HEADERS</c>): they are in no text of this object.
/// </summary>
internal sealed class TelemetrySetting
{
    public const string Prefix = "OTEL_";
    private const string Endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";
    private const string Grpc = "grpc", Protobuf = "http/protobuf";

    public static readonly TelemetrySetting Off = new(new Dictionary<string, string?>());

    private TelemetrySetting(IReadOnlyDictionary<string, string?> variables)
    {
        Variables = variables;
        ExportsMetrics = Exports("METRICS");
        ExportsTraces = Exports("TRACES");
    }

    /// <summary>For the exporters, which read them by themselves.</summary>
    public IReadOnlyDictionary<string, string?> Variables { get; }

    public bool ExportsMetrics { get; }

    public bool ExportsTraces { get; }

    public static TelemetrySetting Read(IReadOnlyDictionary<string, string?> variables, List<ConfigurationFault> found)
    {
        foreach (var (name, value) in variables.Where(variable => !string.IsNullOrEmpty(variable.Value)))
        {
            if (name.StartsWith("OTEL_EXPORTER_OTLP_", StringComparison.Ordinal) && name.EndsWith("ENDPOINT", StringComparison.Ordinal)
                && !(Uri.TryCreate(value, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"))
                found.Add(new(name, "it is no http or https address", "Write it like http://localhost:4317, or for http/protobuf http://localhost:4318"));
            else if (name.StartsWith("OTEL_EXPORTER_OTLP_", StringComparison.Ordinal) && name.EndsWith("PROTOCOL", StringComparison.Ordinal) && value is not (Grpc or Protobuf))
                found.Add(new(name, $"'{value}' is not spoken here", $"Write {Grpc} (the default) or {Protobuf}"));
        }
        return new(variables);
    }

    public override string ToString() => $"metrics {ExportsMetrics}, traces {ExportsTraces}";

    private bool Exports(string signal) =>
        (Has(Endpoint) || Has($"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"))
        && Variables.GetValueOrDefault($"OTEL_{signal}_EXPORTER") != "none"
        && !string.Equals(Variables.GetValueOrDefault("OTEL_SDK_DISABLED"), "true", StringComparison.OrdinalIgnoreCase);

    private bool Has(string name) => !string.IsNullOrEmpty(Variables.GetValueOrDefault(name));
}
