using System.Text;
using Sallyport.EndToEnd.Support;

namespace Sallyport.EndToEnd.Attacks;

/// <summary>How a case went.</summary>
/// <param name="Failure">Null where it passed.</param>
/// <param name="Reasons">What was found in the log.</param>
internal sealed record AttackResult(string? Failure, IReadOnlyList<string> Reasons);

/// <summary>Every case that is data, once, against one gate that talks as much as it can; and what is left when it has stopped.</summary>
public sealed class AttackRun : IAsyncLifetime
{
    private readonly Dictionary<string, AttackResult> _results = [];

    internal IReadOnlyDictionary<string, AttackResult> Results => _results;

    /// <summary>Secrets of the cases that lie where none may.</summary>
    internal IReadOnlyList<string> SecretsFound { get; private set; } = [];

    internal int Secrets { get; private set; }

    /// <summary>How <c>audit verify</c> ended; no claim is contradicted either.</summary>
    internal Finished Verified { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        await using var stage = await AttackStage.StartAsync(Executable.Path);
        foreach (var attackCase in AttackFiles.Cases.Where(attackCase => attackCase.Steps.Count > 0))
            _results.Add(attackCase.Id, await stage.PlayAsync(attackCase));

        var (data, gate, canaries) = (stage.Data, stage.Gate, stage.Canaries);
        await gate.StopAsync();
        Secrets = canaries.Count;
        Verified = await Executable.RunAsync("audit", "verify", "--data", data.Path);
        Verification.AssertConsistent(Recording.ReadFiles(data), lacksNothing: true);
        var shown = await Executable.RunAsync("audit", "tail", "-n", "1000000", "--data", data.Path);
        SecretsFound =
        [
            .. Directory.EnumerateFiles(data.Path, "*", SearchOption.AllDirectories)
                .SelectMany(path => canaries.FindIn(File.ReadAllBytes(path)).Select(secret => $"{path}: {secret}")),
            .. canaries.FindIn(Encoding.UTF8.GetBytes(gate.Output + gate.Error)).Select(secret => $"stdout, stderr: {secret}"),
            .. canaries.FindIn(Encoding.UTF8.GetBytes(shown.Output)).Select(secret => $"audit tail: {secret}"),
        ];
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
