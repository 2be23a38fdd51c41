using Sallyport.Server.Audit;

namespace Sallyport.Tests.Audit;

public class JournalFollowerTests
{
    [Fact]
    public async Task A_follower_sees_each_event_once_across_segments()
    {
        using var data = new TestData();
        Directory.CreateDirectory(data.Log);
        await using var journal = new Journal(data.Log, JournalFiles.OpenEnd(data.Log, 0, JournalFiles.OpenFile), new(), TimeProvider.System, static _ => { });
        var large = AuditEventJson.Write(new AccessRefused { Id = "id", Reason = Reason.TokenMissing, HttpMethod = "GET", Path = "/" + new string('x', 60_000), Status = 401 });
        var follower = new JournalFollower(data.Log, 3);
        var seen = new List<long>();

        // More than a segment's 16 MiB, in which reads fall anywhere.
        for (var i = 0; i < 600; i++)
        {
            await journal.AppendAsync(large);
            if (i % 37 == 0)
                seen.AddRange(follower.ReadNew().Select(leaf => leaf.Index));
        }
        seen.AddRange(follower.ReadNew().Select(leaf => leaf.Index));

        Assert.True(JournalFiles.Segments(data.Log).Count > 1);
        Assert.Equal(Enumerable.Range(3, 597).Select(i => (long)i), seen);
        Assert.Equal(600, JournalFiles.ReadAll(data.Log).Count());
        Assert.Equal(500, JournalFiles.ReadFrom(data.Log, 100).Count());
    }

    [Fact]
    public async Task A_follower_that_is_to_stop_within_a_segment_goes_on_there_though_the_next_one_has_begun_meanwhile()
    {
        using var data = new TestData();
        Directory.CreateDirectory(data.Log);
        await using var journal = new Journal(data.Log, JournalFiles.OpenEnd(data.Log, 0, JournalFiles.OpenFile), new() { SegmentBytes = 2_000 }, TimeProvider.System, static _ => { });
        var leaf = AuditEventJson.Write(new AccessRefused { Id = "id", Reason = Reason.TokenMissing, HttpMethod = "GET", Path = "/", Status = 401 });
        for (var i = 0; i < 100; i++)
            await journal.AppendAsync(leaf);
        Assert.True(JournalFiles.Segments(data.Log).Count > 3);

        for (var end = 1; end < 100; end++)
        {
            var follower = new JournalFollower(data.Log, 0);
            var seen = new List<long>();
            follower.ReadNew(end, (index, _) => seen.Add(index));
            Assert.Equal(end, seen.Count);

            follower.ReadNew(100, (index, _) => seen.Add(index));

            Assert.Equal(Enumerable.Range(0, 100).Select(i => (long)i), seen);
        }
    }
}
