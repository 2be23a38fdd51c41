using Sallyport.Proof.Verification;
using Sallyport.Server.Audit;

namespace Sallyport.Tests.Audit;

public class SealedLogTests
{
    [Fact]
    public async Task A_log_that_the_gate_wrote_is_whole_and_signed_to_its_end()
    {
        using var data = new TestData();
        await using (var gate = await TestGate.StartAsync(new() { Data = data.Root }))
        {
            for (var i = 0; i < 700; i++)
                await gate.PostMcpAsync(null, "{}");
            await gate.StopAsync();
        }

        var report = LogVerifier.Verify(new LogFiles(data.Log), NoteKey.Check);

        Assert.Empty(report.Faults);
        Assert.True(report.Length > 700);
        Assert.Equal(report.Length, report.SignedLength);
        Assert.Equal(1, report.Starts);
        Assert.True(report.CheckpointsChecked > 0);
    }

    [Fact]
    public async Task A_log_goes_on_where_it_ended()
    {
        using var data = new TestData();
        for (var start = 0; start < 3; start++)
        {
            await using var gate = await TestGate.StartAsync(new() { Data = data.Root }, withUser: start == 0);
            for (var i = 0; i < 130; i++)
                await gate.PostMcpAsync(null, "{}");
            await gate.Services.GetRequiredService<Sealer>().SealAsync(TestContext.Current.CancellationToken);
            Assert.Empty(LogVerifier.Verify(new LogFiles(data.Log), NoteKey.Check).Faults);
            await gate.StopAsync();
        }

        var report = LogVerifier.Verify(new LogFiles(data.Log), NoteKey.Check);

        Assert.Empty(report.Faults);
        Assert.Equal(3, report.Starts);
        Assert.Equal(0, report.UncleanStarts);
        Assert.Equal(report.Length, report.SignedLength);
    }
}
