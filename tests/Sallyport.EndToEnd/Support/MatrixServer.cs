using System.Text.Json;
using System.Text.Json.Serialization;

namespace Sallyport.EndToEnd.Support;

/// <summary>A tool that a server has.</summary>
/// <param name="Revision">The only one at which it can be called so; null for every one.</param>
internal sealed record MatrixTool(string Name, Dictionary<string, JsonElement>? Arguments, string? Answer, string? Revision);

internal sealed record MatrixSubscription(string Uri, string? Then);

/// <summary>What a server of the matrix has, by its names (tests/clients/matrix/servers.json). Null is what it does not have.</summary>
/// <param name="Cancelled">Answers when <paramref name="Long"/> was taken back.</param>
internal sealed record MatrixServer(
    MatrixTool Call, MatrixTool? Long, MatrixTool? Cancelled, string? Read, MatrixSubscription? Subscribe, string? Prompt, MatrixTool? Sample, MatrixTool? Elicit)
{
    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web) { UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow };

    /// <param name="kind">Its name there.</param>
    /// <param name="directory">Where its files are, if it has any.</param>
    /// <param name="client">Which client it is that calls.</param>
    public static MatrixServer Of(string kind, string directory, string client) => JsonSerializer.Deserialize<Dictionary<string, MatrixServer>>(
        File.ReadAllText(Path.Combine(Repository.Clients, "matrix", "servers.json"))
            .Replace("{directory}", directory, StringComparison.Ordinal).Replace("{client}", client, StringComparison.Ordinal), s_json)![kind];
}

/// <summary>What came of one step of one client; without a step, the revision that it settled on, and its id at the gate.</summary>
internal sealed record MatrixStep(string Client, string? Step, string? Result, string? Error = null, string? Revision = null, string? Id = null);
