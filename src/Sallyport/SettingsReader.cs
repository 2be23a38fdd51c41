using System.Collections;
using System.Globalization;
using System.Text.Json;
using Sallyport.Server.Configuration;

namespace Sallyport;

/// <summary>
/// Reads what the operator wrote in a file and in the environment. The same names in each, in any case, with or without underscores; a
/// name that there is none of is a fault, so that a misspelt one is not overlooked.
/// </summary>
internal sealed class SettingsReader(GateSettings settings)
{
    private const string EnvironmentPrefix = "SALLYPORT_";
    private static readonly Setting[] s_known = [.. Setting.All, Setting.Command, Setting.Data];
    private static readonly JsonDocumentOptions s_json = new() { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip, AllowDuplicateProperties = false };

    private readonly List<ConfigurationFault> _faults = [];

    public IReadOnlyList<ConfigurationFault> Faults => _faults;

    public void ReadFile(string path)
    {
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path), s_json);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
            {
                _faults.Add(new(path, "it is no JSON object", "Write { \"urls\": \"http://localhost:8700\" }, for instance"));
                return;
            }
            foreach (var member in document.RootElement.EnumerateObject())
                Set($"{path}, {member.Name}", member.Name, ValuesOf(member.Value));
        }
        catch (JsonException exception)
        {
            _faults.Add(new(path, string.Create(CultureInfo.InvariantCulture, $"it is no JSON (line {exception.LineNumber + 1}, byte {exception.BytePositionInLine + 1})"), exception.Message));
        }
    }

    public void ReadEnvironment()
    {
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
        {
            var name = (string)variable.Key;
            if (name.StartsWith(EnvironmentPrefix, StringComparison.Ordinal))
                Set(name, name[EnvironmentPrefix.Length..], [(string)variable.Value!]);
            else if (name.StartsWith(TelemetrySetting.Prefix, StringComparison.Ordinal))
                settings.OpenTelemetry[name] = (string?)variable.Value;
        }
    }

    /// <summary>What stands on the command line.</summary>
    public void ReadFlag(Setting setting, string[] values) => Apply(setting, setting.Flag[2..], values);

    private void Set(string place, string name, string[]? values)
    {
        var known = s_known.FirstOrDefault(candidate => candidate.Name.Equals(name.Replace("_", ""), StringComparison.OrdinalIgnoreCase));
        if (known is null)
            _faults.Add(new(place, "there is no such setting", $"There are: {string.Join(", ", s_known.Select(setting => setting.Name))}"));
        else if (values is null || (!known.IsList && values.Length != 1))
            _faults.Add(new(place, "its value is of the wrong kind", $"Write text, or for {string.Join(", ", s_known.Where(setting => setting.IsList).Select(setting => setting.Name))} a list of texts"));
        else
            Apply(known, place, values);
    }

    private void Apply(Setting setting, string place, string[] values)
    {
        if (setting.Read(settings, values) is { } fault)
            _faults.Add(new(place, fault, setting.Description));
    }

    /// <summary>Text, numbers and truth as text; null for anything that is no setting's value.</summary>
    private static string[]? ValuesOf(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => [value.GetString()!],
        JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False => [value.GetRawText()],
        JsonValueKind.Array when value.EnumerateArray().All(element => element.ValueKind == JsonValueKind.String) => [.. value.EnumerateArray().Select(element => element.GetString()!)],
        _ => null,
    };
}
