using Sallyport.EndToEnd.Support;

namespace Sallyport.EndToEnd.Attacks;

/// <summary>A copy of the sources in which one check after another is removed; the copy is built again, and nothing else is.</summary>
public sealed class MutantSources : IAsyncLifetime
{
    private static readonly string[] s_parts = ["src", "eng", "Directory.Build.props", "Directory.Packages.props", "global.json", ".editorconfig"];

    private static readonly TimeSpan s_buildLimit = TimeSpan.FromMinutes(5);

    private readonly DataFolder _folder = new();

    public async ValueTask InitializeAsync()
    {
        Directory.CreateDirectory(_folder.Path);
        var copied = await ChildProcess.RunAsync("cp", ["-r", .. s_parts, _folder.Path], workingDirectory: Repository.Root);
        Assert.True(copied.ExitCode == 0, copied.Error);
    }

    /// <summary>Builds the program with a check removed. Gives its path.</summary>
    internal async Task<string> BuildWithoutAsync(Removal removal)
    {
        var path = Path.Combine(_folder.Path, removal.File);
        var original = await File.ReadAllTextAsync(path, TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(path, original.Replace(removal.Find, removal.Replace, StringComparison.Ordinal), TestContext.Current.CancellationToken);
        try
        {
            return await BuildAsync();
        }
        finally
        {
            // Written anew: a build looks at the time of a file only.
            await File.WriteAllTextAsync(path, original, CancellationToken.None);
        }
    }

    /// <summary>Builds it as it is. What has one check less need not please the analyzers.</summary>
    internal async Task<string> BuildAsync()
    {
        await using var build = ChildProcess.Start(
            "dotnet",
            [
                "build", "src/Sallyport", "-c", "Release", "-v", "quiet", "-nologo", "-nodeReuse:false",
                "-p:UseSharedCompilation=false", "-p:RunAnalyzers=false", "-p:TreatWarningsAsErrors=false",
            ],
            workingDirectory: _folder.Path);
        var built = await build.WaitAsync(s_buildLimit);
        Assert.True(built.ExitCode == 0, built.Output + built.Error);
        return Path.Combine(_folder.Path, "artifacts", "bin", "Sallyport", "release", "sallyport.dll");
    }

    public ValueTask DisposeAsync()
    {
        _folder.Dispose();
        return ValueTask.CompletedTask;
    }
}

/// <summary>Runs alone: a build takes the whole machine.</summary>
[CollectionDefinition(nameof(Mutants), DisableParallelization = true)]
public sealed class Mutants : ICollectionFixture<MutantSources>;

/// <summary>A check that is removed makes a case fail: one of them by chance, or each with SALLYPORT_SOAK=1.</summary>
[Collection(nameof(Mutants))]
public sealed class MutantTests(MutantSources sources)
{
    [Fact]
    public async Task Every_check_that_is_removed_is_missed()
    {
        var mutants = AttackFiles.Mutants;
        if (!Soak.IsLong)
            mutants = [mutants[new Dice().Throw(0, mutants.Count - 1)]];
        var unnoticed = new List<string>();

        foreach (var mutant in mutants)
        {
            var failure = Assert.Single(await PlayAsync(await sources.BuildWithoutAsync(mutant), [mutant.Case]));
            // A case that does not come to its steps has found out nothing.
            if (failure is null || failure.Contains("The setup's", StringComparison.Ordinal))
                unnoticed.Add($"{mutant.Missing}: {mutant.Case} says {failure ?? "nothing"}");
        }

        Assert.True(unnoticed.Count == 0, string.Join('\n', unnoticed));
        // It is the check that was missed, and nothing of the copy.
        Assert.All(await PlayAsync(await sources.BuildAsync(), mutants.Select(mutant => mutant.Case).Distinct()), Assert.Null);
    }

    /// <summary>Why each case failed; null for one that passed.</summary>
    private static async Task<List<string?>> PlayAsync(string program, IEnumerable<string> ids)
    {
        await using var stage = await AttackStage.StartAsync(program);
        var failures = new List<string?>();
        foreach (var id in ids)
            failures.Add((await stage.PlayAsync(AttackFiles.Cases.Single(attackCase => attackCase.Id == id))).Failure);
        return failures;
    }
}
