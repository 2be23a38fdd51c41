using Sallyport.Proof.Claims;
using Sallyport.Server.Audit;

namespace Sallyport.Tests.Audit;

/// <summary>What asking for the gate's own report may cost it.</summary>
public class OwnReportTests
{
    [Fact]
    public async Task The_log_is_left_alone_for_nine_times_as_long_as_a_reading_took()
    {
        await using var gate = await TestGate.StartAsync();
        await gate.StopAsync();
        var time = new SlowClock();
        var own = new OwnReport(new(gate.Data), time);
        var cancellation = TestContext.Current.CancellationToken;

        var (first, _) = await own.GetAsync(null, cancellation);
        var (again, _) = await own.GetAsync(null, cancellation);
        var (others, wait) = await own.GetAsync("somebody", cancellation);
        time.Now += TimeSpan.FromSeconds(9);
        var (later, _) = await own.GetAsync("somebody", cancellation);

        Assert.NotNull(first);
        Assert.Same(first, again);
        Assert.Null(others);
        Assert.Equal(TimeSpan.FromSeconds(9), wait);
        Assert.NotNull(later);
        Assert.Equal(Verdict.NotProven, later.Judgement.Verdict);
    }

    /// <summary>Whatever is measured with it takes a second.</summary>
    private sealed class SlowClock : TimeProvider
    {
        private long _looks;

        public DateTimeOffset Now { get; set; } = DateTimeOffset.UnixEpoch.AddYears(56);
        public override long TimestampFrequency => 1;
        public override long GetTimestamp() => _looks++;
        public override DateTimeOffset GetUtcNow() => Now;
    }
}
