using System.Text.Json;
using System.Text.Json.Serialization;
using Sallyport.EndToEnd.Support;

namespace Sallyport.EndToEnd.Attacks;

/// <summary>The cases of one group: a file of <c>vectors/attacks</c>, whose README says what its members mean.</summary>
internal sealed record AttackGroup
{
    public required string Title { get; init; }
    public required IReadOnlyList<AttackCase> Cases { get; init; }
}

/// <summary>What an attacker sends, what has to come of it, and how that is shown: by steps, by tests, or by saying why it does not apply.</summary>
internal sealed record AttackCase
{
    public required string Id { get; init; }
    public required string Sends { get; init; }
    public required string Requires { get; init; }
    public required string Source { get; init; }
    /// <summary>Why it is not what somebody may expect.</summary>
    public string? Note { get; init; }

    public string Setup { get; init; } = "nothing";
    public IReadOnlyDictionary<string, string> Let { get; init; } = new Dictionary<string, string>();
    public IReadOnlyList<AttackStep> Steps { get; init; } = [];

    /// <summary>Full names of tests in code, for what is no data: a clock, a race, a scripted provider.</summary>
    public IReadOnlyList<string> Tests { get; init; } = [];
    /// <summary>The reasons that those tests find in the log.</summary>
    public IReadOnlyList<string> Reasons { get; init; } = [];

    public string? DoesNotApply { get; init; }
    public string? Waits { get; init; }
}

/// <summary>One request and its answer.</summary>
internal sealed record AttackStep
{
    public string? Request { get; init; }
    public string? Send { get; init; }
    /// <summary>Which browser's cookies go with it, and where new ones stay; <c>none</c>: nobody's.</summary>
    public string? In { get; init; }
    /// <summary>Parameters that differ from the named request's: a text, several, or null for left out.</summary>
    public IReadOnlyDictionary<string, JsonElement> Set { get; init; } = new Dictionary<string, JsonElement>();
    public IReadOnlyList<string> Headers { get; init; } = [];
    public string? Body { get; init; }
    /// <summary>The step is done once for each of these, as <c>{each}</c>.</summary>
    public IReadOnlyList<string> Each { get; init; } = [""];
    public int Times { get; init; } = 1;
    /// <summary>How long the fastest answer may take, in milliseconds: a machine with other work makes answers slower, never faster.</summary>
    public int? Within { get; init; }

    public required int Status { get; init; }
    /// <summary>OAuth's code: in the body, or in the redirect to the client.</summary>
    public string? Error { get; init; }
    /// <summary>The refusal's reason in the log.</summary>
    public string? Reason { get; init; }
    /// <summary>The type of the event that the answer names, where it is no refusal.</summary>
    public string? Event { get; init; }
    /// <summary>Further events of this step, as <c>type reason</c>.</summary>
    public IReadOnlyList<string> Also { get; init; } = [];
    /// <summary>The HTTP server itself refuses it, before there is anybody to record it.</summary>
    public bool ByServer { get; init; }
    /// <summary>What it tells is for everybody and may be stored.</summary>
    public bool Cacheable { get; init; }
    /// <summary>What the redirect gives back as state; the one that was sent, unless it says otherwise.</summary>
    public string State { get; init; } = "{state}";
    /// <summary>Headers of the answer: exactly that, containing it where it begins with <c>~</c>, or null for absent.</summary>
    public IReadOnlyDictionary<string, string?> Answer { get; init; } = new Dictionary<string, string?>();
    /// <summary>Members of a JSON answer; null for absent.</summary>
    public IReadOnlyDictionary<string, JsonElement> Json { get; init; } = new Dictionary<string, JsonElement>();
    public IReadOnlyList<string> Contains { get; init; } = [];
    public IReadOnlyList<string> Lacks { get; init; } = [];
    /// <summary>Variables that later steps use, from the JSON, the redirect, or the form of the answer.</summary>
    public IReadOnlyDictionary<string, string> Keep { get; init; } = new Dictionary<string, string>();

    public bool IsRefusal => Status >= 400 || Error is not null;
}

/// <summary>A good request that steps change: <c>vectors/attacks/requests.json</c>.</summary>
internal sealed record RequestTemplate
{
    public required string Send { get; init; }
    public string In { get; init; } = "none";
    public IReadOnlyList<string> Headers { get; init; } = [];
    public IReadOnlyDictionary<string, JsonElement>? Query { get; init; }
    public IReadOnlyDictionary<string, JsonElement>? Form { get; init; }
    public IReadOnlyDictionary<string, JsonElement>? Json { get; init; }
    public string? Body { get; init; }
}

/// <summary>A gate with one check removed.</summary>
internal record Removal
{
    /// <summary>What it does wrongly.</summary>
    public required string Missing { get; init; }
    public required string File { get; init; }
    /// <summary>Occurs once in the file.</summary>
    public required string Find { get; init; }
    public required string Replace { get; init; }
}

/// <summary>With the case that finds out.</summary>
internal sealed record Mutant : Removal
{
    public required string Case { get; init; }
}

/// <summary>With what is done at it, and the claim that its own log then refutes.</summary>
internal sealed record Bypass : Removal
{
    public required string Story { get; init; }
    public required string Claim { get; init; }
}

internal static class AttackFiles
{
    private static readonly string s_directory = Path.Combine(Repository.Root, "vectors", "attacks");

    private static readonly JsonSerializerOptions s_strict = new(JsonSerializerDefaults.General)
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        AllowDuplicateProperties = false,
    };

    public static IReadOnlyList<AttackGroup> Groups { get; } =
        [.. Lines("groups.txt").Select(name => Read<AttackGroup>(name + ".json"))];

    public static IReadOnlyList<AttackCase> Cases { get; } = [.. Groups.SelectMany(group => group.Cases)];

    public static IReadOnlyList<Mutant> Mutants { get; } = Read<List<Mutant>>("mutants.json");

    public static IReadOnlyList<Bypass> Bypasses { get; } = Read<List<Bypass>>("bypasses.json");

    public static IReadOnlyDictionary<string, RequestTemplate> Requests { get; } = Read<Dictionary<string, RequestTemplate>>("requests.json");

    public static IEnumerable<string> Lines(string name) =>
        File.ReadLines(Path.Combine(s_directory, name)).Where(line => line.Length > 0);

    private static T Read<T>(string name) => JsonSerializer.Deserialize<T>(File.ReadAllBytes(Path.Combine(s_directory, name)), s_strict)!;
}
