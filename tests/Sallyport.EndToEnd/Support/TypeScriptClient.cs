using System.Text.Json;
using System.Text.Json.Serialization;

namespace Sallyport.EndToEnd.Support;

/// <summary>One line of what <c>client.mjs</c> tells.</summary>
internal sealed record Step
{
    [JsonPropertyName("step")] public required string Name { get; init; }
    public string? Error { get; init; }

    // http, page
    public string? Method { get; init; }
    public string? Path { get; init; }
    public int Status { get; init; }
    public string? Event { get; init; }
    public string? Challenge { get; init; }
    public string? GrantType { get; init; }

    // The client's life
    public string? Client { get; init; }
    public string? AuthMethod { get; init; }
    public bool Secret { get; init; }
    public string? Resource { get; init; }
    public string? Scope { get; init; }
    public string? ChallengeMethod { get; init; }
    public string? Server { get; init; }
    public IReadOnlyList<string> Tools { get; init; } = [];
    public string? Text { get; init; }
    [JsonPropertyName("name")] public string? Tool { get; init; }
}

/// <summary>What the client is to do.</summary>
internal sealed record Story
{
    public required string Server { get; init; }
    public required string Transport { get; init; }
    public required string AuthMethod { get; init; }
    public required string Username { get; init; }
    public required string Password { get; init; }
    public string Decision { get; init; } = "allow";
    public IReadOnlyList<ToolCall> Calls { get; init; } = [];
}

internal sealed record ToolCall(string Name, object Arguments);

/// <summary>The TypeScript SDK's client, in a process of its own.</summary>
internal static class TypeScriptClient
{
    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web);

    /// <summary>Plays the story to its end; the client itself fails at the first answer that it must not get.</summary>
    public static async Task<IReadOnlyList<Step>> PlayAsync(Story story)
    {
        var finished = await ChildProcess.RunAsync("node", ["client.mjs", JsonSerializer.Serialize(story, s_json)], workingDirectory: Repository.Clients);
        Assert.True(finished.ExitCode == 0, finished.Output + finished.Error);
        var steps = finished.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonSerializer.Deserialize<Step>(line, s_json)!).ToList();
        Assert.Equal("done", steps[^1].Name);
        return steps;
    }
}
