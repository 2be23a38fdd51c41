using Sallyport.Proof.Findings;
using Sallyport.Server.Findings;
using Sallyport.Tests.Proof.Support;

namespace Sallyport.Tests.Findings;

public class OrdinaryTrafficTests
{
    /// <summary>100,000 events at least, or a million where this run takes its time.</summary>
    private static readonly (int Users, int Events) s_size = Environment.GetEnvironmentVariable("SALLYPORT_SOAK") == "1" ? (200, 1_000_000) : (14, 100_000);

    [Fact]
    public void Nothing_is_found_where_nobody_does_any_harm()
    {
        var dice = Dice.New();
        var rules = new FindingRules(SourceNetworks.NetworkOf);
        var (count, reading, judging, found) = (0L, TimeSpan.Zero, TimeSpan.Zero, new List<FindingRaised>());
        foreach (var next in new OrdinaryTraffic(dice, s_size.Users).Events())
        {
            var leaf = AuditEventJson.Write(next);
            var begun = TimeProvider.System.GetTimestamp();
            var read = AuditEventJson.Read(leaf);
            reading += TimeProvider.System.GetElapsedTime(begun);
            begun = TimeProvider.System.GetTimestamp();
            found.AddRange(rules.Observe(count++, read));
            judging += TimeProvider.System.GetElapsedTime(begun);
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"SALLYPORT_SEED={dice.Seed}: {count} events, read in {reading.TotalMilliseconds:0} ms, {judging.TotalMilliseconds:0} ms in the rules");
        Assert.True(found.Count == 0, $"SALLYPORT_SEED={dice.Seed}\n{string.Join('\n', found.Take(20))}");
        Assert.InRange(count, s_size.Events, long.MaxValue);
    }
}
