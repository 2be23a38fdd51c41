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
    private static readonly string[] s_names = ["urls", "publicUrl", "data", "upstream", "origins", "hosts", "accessTokenSeconds"];
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
        }
    }

    public void SetAccessTokenSeconds(string place, string text)
    {
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds))
            settings.AccessTokenSeconds = seconds;
        else
            _faults.Add(new(place, $"'{text}' is no number of seconds", "Between 1 and 86400; 3600 is the default"));
    }

    private void Set(string place, string name, string[]? values)
    {
        var known = s_names.FirstOrDefault(candidate => candidate.Equals(name.Replace("_", ""), StringComparison.OrdinalIgnoreCase));
        if (known is null)
        {
            _faults.Add(new(place, "there is no such setting", $"There are: {string.Join(", ", s_names)}"));
            return;
        }
        if (values is null || (known is not ("origins" or "hosts" or "urls") && values.Length != 1))
        {
            _faults.Add(new(place, "its value is of the wrong kind", "Write text, or for urls, origins and hosts a list of texts"));
            return;
        }
        switch (known)
        {
            case "urls":
                settings.Urls = string.Join(';', values);
                break;
            case "publicUrl":
                settings.PublicUrl = values[0];
                break;
            case "data":
                settings.Data = values[0];
                break;
            case "upstream":
                settings.Upstream = values[0];
                break;
            case "origins":
                settings.Origins = Split(values);
                break;
            case "hosts":
                settings.Hosts = Split(values);
                break;
            default:
                SetAccessTokenSeconds(place, values[0]);
                break;
        }
    }

    private static string[] Split(string[] values) =>
        [.. values.SelectMany(value => value.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))];

    /// <summary>Text and numbers as text; null for anything that is no setting's value.</summary>
    private static string[]? ValuesOf(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => [value.GetString()!],
        JsonValueKind.Number => [value.GetRawText()],
        JsonValueKind.Array when value.EnumerateArray().All(element => element.ValueKind == JsonValueKind.String) => [.. value.EnumerateArray().Select(element => element.GetString()!)],
        _ => null,
    };
}
