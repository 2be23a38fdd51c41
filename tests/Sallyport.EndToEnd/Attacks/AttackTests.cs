namespace Sallyport.EndToEnd.Attacks;

/// <summary>The cases of <c>vectors/attacks</c>, each by its id.</summary>
public sealed class AttackTests(AttackRun run) : IClassFixture<AttackRun>
{
    public static TheoryData<string> Ids => [.. AttackFiles.Cases.Where(attackCase => attackCase.Steps.Count > 0).Select(attackCase => attackCase.Id)];

    [Theory]
    [MemberData(nameof(Ids))]
    public void A_case_ends_as_it_has_to_with_its_reason_in_the_log(string id) => Assert.True(run.Results[id].Failure is null, run.Results[id].Failure);

    [Fact]
    public void No_secret_of_any_case_is_in_a_sink()
    {
        Assert.InRange(run.Secrets, 200, int.MaxValue);
        Assert.True(run.SecretsFound.Count == 0, string.Join('\n', run.SecretsFound));
    }

    [Fact]
    public void The_threat_model_says_how_each_case_went()
    {
        var table = ThreatModel.Render(run.Results);
        if (Environment.GetEnvironmentVariable("SALLYPORT_WRITE_VECTORS") == "1")
            ThreatModel.Write(table);

        Assert.Equal(table, ThreatModel.Table());
    }

    [Fact]
    public void The_log_of_all_cases_is_whole() => Assert.True(run.Verified.ExitCode == (int)ExitCode.Success, run.Verified.Output + run.Verified.Error);
}
