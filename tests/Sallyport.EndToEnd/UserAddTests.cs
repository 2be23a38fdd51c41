using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd;

/// <summary><c>user add</c> beside a running gate, and without one.</summary>
public sealed class UserAddTests(RunningGate running) : IClassFixture<RunningGate>
{
    private const string Password = "correct horse battery staple";

    [Fact]
    public async Task A_user_who_is_added_while_the_gate_runs_can_sign_in_when_the_command_returns()
    {
        var finished = await AddAsync("alice", Password + "\n");

        Assert.True(await CanSignInAsync("alice", Password));
        Assert.Equal((int)ExitCode.Success, finished.ExitCode);
        Assert.Equal("User alice can sign in now.\n", finished.Error);
        // Data goes to stdout: the subject id, and nothing else.
        var log = await running.Data.ReadLogAsync();
        var added = log.Single<OperatorActed>(acted => acted.Target == finished.Output.TrimEnd('\n'));
        Assert.Equal(OperatorAct.UserAdded, added.Act);
        Assert.Equal(added.Target, log.All<UserAuthenticated>().First(authenticated => authenticated.Subject == added.Target).Subject);
    }

    [Fact]
    public async Task A_user_who_is_added_while_no_gate_runs_can_sign_in_at_the_next_one()
    {
        using var data = new DataFolder();
        var subject = await Executable.AddUserAsync(data, "alice", Password);
        await using var gate = await GateProcess.StartAsync(data);
        using var client = await GateClient.RegisterAsync(gate.Origin);

        Assert.NotNull(await client.AuthorizeAsync("alice", Password));

        await gate.StopAsync();
        var log = await data.ReadLogAsync();
        var starts = log.All<Started>().ToList();
        Assert.Equal(["user add", "serve"], starts.Select(start => start.Process));
        Assert.All(starts, start => Assert.True(start.AfterCleanStop));
        Assert.Equal(subject, log.Single<OperatorActed>().Target);
        Assert.Equal(subject, log.Single<UserAuthenticated>().Subject);
    }

    [Theory]
    [InlineData("no-line-end", "pass word", "pass word")]
    [InlineData("unix", "pass word\n", "pass word")]
    [InlineData("windows", "pass word\r\n", "pass word")]
    [InlineData("two", "pass word\n\n", "pass word\n")]
    [InlineData("leading", " pass word \n", " pass word ")]
    public async Task One_line_end_is_stripped_from_the_password_and_nothing_else(string name, string input, string password)
    {
        var finished = await AddAsync(name, input);

        Assert.True(finished.ExitCode == (int)ExitCode.Success, finished.Error);
        Assert.True(await CanSignInAsync(name, password));
        if (input != password)
            Assert.False(await CanSignInAsync(name, input));
    }

    [Theory]
    [InlineData(8)]
    [InlineData(256)]
    public async Task A_password_of_8_to_256_characters_is_accepted(int length)
    {
        var password = new string('é', length);

        var finished = await AddAsync($"length-{length}", password + "\n");

        Assert.True(finished.ExitCode == (int)ExitCode.Success, finished.Error);
        Assert.True(await CanSignInAsync($"length-{length}", password));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    [InlineData(257)]
    [InlineData(10_000)]
    public async Task A_shorter_or_longer_password_is_refused_with_a_hint(int length)
    {
        var finished = await AddAsync("nobody", new string('x', length) + "\n");

        Faults.Assert(finished, ExitCode.RefusedInput);
        Assert.False(await CanSignInAsync("nobody", new string('x', length)));
    }

    [Fact]
    public async Task A_name_that_is_taken_is_refused_and_its_password_stays()
    {
        Assert.Equal((int)ExitCode.Success, (await AddAsync("bob", Password)).ExitCode);

        Faults.Assert(await AddAsync("bob", "another password"), ExitCode.RefusedInput);
        Faults.Assert(await AddAsync("BOB", "another password"), ExitCode.RefusedInput);

        Assert.True(await CanSignInAsync("bob", Password));
        Assert.False(await CanSignInAsync("bob", "another password"));
    }

    [Fact]
    public async Task Without_a_terminal_and_without_the_flag_there_is_nobody_to_ask()
    {
        Faults.Assert(await Executable.RunWithInputAsync(Password, "user", "add", "carol", "--data", running.Data.Path), ExitCode.Usage);
    }

    private Task<Finished> AddAsync(string name, string input) =>
        Executable.RunWithInputAsync(input, "user", "add", name, "--password-stdin", "--data", running.Data.Path);

    private async Task<bool> CanSignInAsync(string name, string password)
    {
        using var client = await GateClient.RegisterAsync(running.Gate.Origin);
        return await client.AuthorizeAsync(name, password) is not null;
    }
}
