using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Sallyport.Proof.Report;

/// <summary>A report for programs: docs/report.md says what is in it. Members may be added; those that are there keep their meaning.</summary>
public static class ReportJson
{
    private static readonly ReportContext s_context = new(new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.Default,
        WriteIndented = true,
        NewLine = "\n",
        Converters =
        {
            new JsonStringEnumConverter<Claims.Claim>(), new JsonStringEnumConverter<Claims.ClaimStatus>(JsonNamingPolicy.SnakeCaseLower),
            new JsonStringEnumConverter<Claims.Verdict>(JsonNamingPolicy.SnakeCaseLower), new JsonStringEnumConverter<ComponentStatus>(JsonNamingPolicy.SnakeCaseLower),
            new JsonStringEnumConverter<ReportSource>(JsonNamingPolicy.SnakeCaseLower),
        },
    });

    public static string Write(StatusReport report) => JsonSerializer.Serialize(report, s_context.StatusReport) + "\n";
}

[JsonSerializable(typeof(StatusReport))]
internal sealed partial class ReportContext : JsonSerializerContext;
