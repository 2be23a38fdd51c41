using System.Text.Json;
using System.Text.Json.Serialization;

namespace Sallyport.EndToEnd.Support;

/// <summary>A tool that a server has.</summary>
/// <param name="Revision">The only one at which it can be called so; null for every one.</param>
internal sealed record MatrixTool(string Name, Dictionary<string, JsonElement>? Arguments, string? Answer, string? Revision);

internal sealed record MatrixSubscription(string Uri, string? Then);

/// <summary>What a server of the matrix has, by its names (tests/clients/matrix/servers.json). Null is what it does not have.</summary>
internal sealed record MatrixServer(
    MatrixTool Call, MatrixTool? Long, string? Read, MatrixSubscription? Subscribe, string? Prompt, MatrixTool? Sample, MatrixTool? Elicit)
{
    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web) { UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow };

    /// <param name="kind">Its name there.</param>
    /// <param name="directory">Where its files are, if it has any.</param>
    public static MatrixServer Of(string kind, string directory) => JsonSerializer.Deserialize<Dictionary<string, MatrixServer>>(
        File.ReadAllText(Path.Combine(Repository.Clients, "matrix", "servers.json")).Replace("{directory}", directory, StringComparison.Ordinal), s_json)![kind];
}

/// <summary>What came of one step of one client; without a step, the revision that it settled on.</summary>
internal sealed record MatrixStep(string Client, string? Step, string? Result, string? Error, string? Revision);
