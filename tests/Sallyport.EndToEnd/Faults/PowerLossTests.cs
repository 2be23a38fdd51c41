using Microsoft.Data.Sqlite;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd;

/// <summary>
/// The power goes: what was written and not synced is gone, or a part of it (AUD-13). A change of state was synced by the database
/// before anybody was told, and comes back into the log from the outbox. An access was synced only under <c>--strict</c>; else the
/// last ones before the loss may be missing, and the durability in the start event says so.
/// </summary>
public sealed class PowerLossTests
{
    private const int Losses = 6;

    public static TheoryData<int> Runs => Soak.Runs;

    [Theory]
    [MemberData(nameof(Runs))]
    public async Task AUD_13_A_loss_of_power_takes_back_no_change_that_was_answered_and_leaves_a_log_without_gaps_that_tells_of_it(int run)
    {
        var dice = new Dice();
        await using var upstream = await NotingUpstream.StartAsync();
        using var disk = await ForgetfulDisk.CreateAsync();
        var port = Ports.Free();
        var lost = 0L;
        var gate = await GateProcess.StartAsync(disk.Data, port, disk.Environment, "--upstream", upstream.Url);
        try
        {
            await Load.AddUserAsync(disk.Data);
            for (var loss = 1; loss <= Losses; loss++)
            {
                using var load = new Load($"{run}-{loss}", gate, upstream);
                await load.RunAsync((Moment)dice.Throw(0, 2), dice.Throw(1, 200), gate.KillAsync);
                var before = Recording.ReadFiles(disk.Data);
                lost += disk.LosePower(dice);
                gate = await GateProcess.StartAsync(disk.Data, port, disk.Environment, "--upstream", upstream.Url);
                await load.AssertInForceAsync();

                var log = await Verification.VerifyAsync(disk.Data);
                Assert.Equal(loss, log.All<Started>().Count(started => !started.AfterCleanStop));
                // Of what was there a beginning is left; then comes the start, and then what it found in the outbox.
                var start = log.All<Started>().Last();
                var left = (int)log.NumberOf(start);
                Assert.Equal(before.Events.Take(left), log.Events.Take(left), (one, other) => one.Id == other.Id);
                var recovered = log.Events.Skip(left + 1).Take(start.Recovered);
                Assert.All(recovered, change => Assert.True(IsChange(change), $"{change} was recovered"));
                var answered = before.Events.Where(e => IsChange(e) && load.AnsweredEvents.Contains(e.Id));
                Assert.All(answered, change => Assert.True(log.Contains(change.Id), $"The log lost {change}"));
            }
        }
        finally
        {
            await gate.DisposeAsync();
        }
        Assert.True(lost > 0, "Everything was synced always: these losses lost nothing");
    }

    [Theory]
    [MemberData(nameof(Runs))]
    public async Task AUD_13_A_change_that_came_back_after_a_loss_of_power_does_not_come_back_again_after_the_next_kill(int run)
    {
        var dice = new Dice();
        await using var upstream = await NotingUpstream.StartAsync();
        using var disk = await ForgetfulDisk.CreateAsync();
        var port = Ports.Free();
        string[] options = ["--upstream", upstream.Url, "--checkpoint-seconds", "1"];
        var recovered = 0;
        var gate = await GateProcess.StartAsync(disk.Data, port, disk.Environment, options);
        try
        {
            await Load.AddUserAsync(disk.Data);
            for (var loss = 1; loss <= Losses; loss++)
            {
                // Without rows of before the load, from which on the log would be searched.
                await SweepAsync(gate, disk.Data);
                using var load = new Load($"{run}-{loss}", gate, upstream);
                await load.RunAsync(Moment.Answered, dice.Throw(30, 150), gate.KillAsync);
                disk.LosePower(dice);

                gate = await GateProcess.StartAsync(disk.Data, port, disk.Environment, options);
                await gate.KillAsync();
                recovered += Recording.ReadFiles(disk.Data).All<Started>().Last().Recovered;
                if (dice.Throw(0, 1) == 0)
                    disk.LosePower(dice);
                gate = await GateProcess.StartAsync(disk.Data, port, disk.Environment, options);

                await load.AssertInForceAsync();
                await Verification.VerifyAsync(disk.Data);
            }
        }
        finally
        {
            await gate.DisposeAsync();
        }
        TestContext.Current.TestOutputHelper?.WriteLine($"{recovered} changes came back");
        Assert.True(recovered > 0, "No change came back: these losses lost none");
    }

    [Theory]
    [MemberData(nameof(Runs))]
    public async Task Under_strict_a_loss_of_power_takes_back_no_access_either(int run)
    {
        var help = await Executable.RunAsync("serve", "--help");
        Assert.SkipUnless(help.Output.Contains("--strict", StringComparison.Ordinal), "serve has no --strict yet");

        var dice = new Dice();
        await using var upstream = await NotingUpstream.StartAsync();
        using var disk = await ForgetfulDisk.CreateAsync();
        var port = Ports.Free();
        var gate = await GateProcess.StartAsync(disk.Data, port, disk.Environment, "--upstream", upstream.Url, "--strict");
        try
        {
            await Load.AddUserAsync(disk.Data);
            for (var loss = 1; loss <= Losses; loss++)
            {
                using var load = new Load($"{run}-{loss}", gate, upstream);
                await load.RunAsync((Moment)dice.Throw(0, 2), dice.Throw(1, 200), gate.KillAsync);
                var reached = upstream.Calls;
                disk.LosePower(dice);
                gate = await GateProcess.StartAsync(disk.Data, port, disk.Environment, "--upstream", upstream.Url, "--strict");
                await load.AssertInForceAsync();

                var log = await Verification.VerifyAsync(disk.Data);
                var allowed = log.All<AccessAllowed>().Select(access => access.Name).ToHashSet();
                Assert.All(reached, tool => Assert.Contains(tool, allowed));
                Assert.All(load.AnsweredEvents, id => Assert.True(log.Contains(id), $"The log lacks {id}, which was answered"));
            }
        }
        finally
        {
            await gate.DisposeAsync();
        }
    }

    [Fact]
    public async Task What_a_gate_records_that_changes_nothing_is_on_the_disk_a_moment_later_too()
    {
        using var disk = await ForgetfulDisk.CreateAsync();
        await using var gate = await GateProcess.StartAsync(disk.Data, Ports.Free(), disk.Environment, "--checkpoint-seconds", "3600");

        var refused = await AuditCommandTests.RefusedAsync(gate.Origin);

        await disk.HoldsAsync("log/journal-00000000000000000000", refused);
    }

    [Fact]
    public async Task AUD_13_A_loss_of_power_after_a_clean_stop_and_a_new_start_is_told_even_if_nothing_was_changed_in_between()
    {
        var dice = new Dice();
        using var disk = await ForgetfulDisk.CreateAsync();
        await using (var first = await GateProcess.StartAsync(disk.Data, Ports.Free(), disk.Environment))
        {
            await Executable.AddUserAsync(disk.Data, "alice", "correct horse");
            await first.StopAsync();
        }
        await using (var gate = await GateProcess.StartAsync(disk.Data, Ports.Free(), disk.Environment))
            await gate.KillAsync();
        disk.LosePower(dice);

        await using var next = await GateProcess.StartAsync(disk.Data, Ports.Free(), disk.Environment);

        Assert.Equal([true, true, false], Recording.ReadFiles(disk.Data).All<Started>().Select(start => start.AfterCleanStop));
    }

    /// <summary>Knocks until the events of all changes are signed, and the database does not keep them any longer.</summary>
    private static async Task SweepAsync(GateProcess gate, DataFolder data)
    {
        await using var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = data.Database, Pooling = false }.ToString());
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        await using var command = connection.CreateCommand();
        command.CommandText = "SELECT COUNT(*) FROM Outbox";
        for (var begun = TimeProvider.System.GetTimestamp(); (long)(await command.ExecuteScalarAsync(TestContext.Current.CancellationToken))! > 0;)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(begun) < TimeSpan.FromSeconds(30), "The outbox was not swept");
            await AuditCommandTests.RefusedAsync(gate.Origin);
        }
    }

    /// <summary>It changes stored state: the database has it before anybody is told.</summary>
    private static bool IsChange(AuditEvent e) =>
        e is ClientRegistered or OperatorActed or ConsentGiven or CodeIssued or TokenIssued or TokenRepeated or TokenRevoked or TokenRefused { Grant: not null };
}
