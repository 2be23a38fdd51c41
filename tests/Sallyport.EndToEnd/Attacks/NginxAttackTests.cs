using Sallyport.EndToEnd.Support;

namespace Sallyport.EndToEnd.Attacks;

/// <summary>The same cases through Debian's nginx, set up as the README says. What it refuses by itself never comes to the gate; all else ends as without it.</summary>
public sealed class NginxAttackTests
{
    [Fact]
    public async Task Every_case_ends_behind_nginx_as_it_does_alone()
    {
        await using var stage = await AttackStage.StartAsync(Executable.Path, isBehindNginx: true);
        var failures = new List<string>();
        foreach (var attackCase in AttackFiles.Cases.Where(attackCase => attackCase.Steps.Count > 0))
        {
            if ((await stage.PlayAsync(attackCase)).Failure is { } failure)
                failures.Add($"{attackCase.Id}: {failure}");
        }

        Assert.True(failures.Count == 0, string.Join("\n\n", failures));
        await stage.Gate.StopAsync();
        Verification.AssertConsistent(Recording.ReadFiles(stage.Data), lacksNothing: true);
    }
}
