using Sallyport.Proof.Verification;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;
using Sallyport.Server.Operation;
using Sallyport.Server.Storage;
using Sallyport.Tests.Proof.Support;

namespace Sallyport.Tests.Audit;

public class SnapshotTests
{
    [Fact]
    public async Task A_snapshot_has_what_lives_and_nothing_that_ended()
    {
        await using var gate = await TestGate.StartAsync();
        var client = await TestClient.RegisterAsync(gate);
        var ended = await client.TokensAsync();
        await client.RevokeAsync(ended.RefreshToken!);
        var living = await client.TokensAsync();
        var opened = await gate.PostMcpAsync(living.AccessToken, Messages.Initialize);
        var session = opened.Headers.GetValues("Mcp-Session-Id").Single();

        await gate.Services.GetRequiredService<Snapshots>().TakeAsync(TestContext.Current.CancellationToken);

        var begun = gate.Events<SnapshotBegun>().Single();
        var parts = gate.Events<SnapshotPart>();
        var completed = gate.Events<SnapshotCompleted>().Single();
        Assert.All(parts, part => Assert.Equal(begun.Snapshot, part.Snapshot));
        Assert.Equal(parts.Count, completed.Parts);
        Assert.Equal(begun.Id, gate.Events()[(int)completed.BegunAt].Id);
        var issued = gate.Events<TokenIssued>()[^1];
        Assert.Equal(issued.Token, parts.SelectMany(part => part.Tokens ?? []).Single().Token);
        Assert.Equal(issued.RefreshToken, parts.SelectMany(part => part.RefreshTokens ?? []).Single().RefreshToken);
        Assert.Equal(issued.Grant, parts.SelectMany(part => part.Grants ?? []).Single().Grant);
        Assert.Equal(issued.Client, parts.SelectMany(part => part.Clients ?? []).Single().Client);
        Assert.Equal(issued.Subject, parts.SelectMany(part => part.Subjects ?? []).Single());
        Assert.Equal(session, parts.SelectMany(part => part.Sessions ?? []).Single().Session);
    }

    [Fact]
    public async Task A_snapshot_is_taken_every_day()
    {
        await using var gate = await TestGate.StartAsync();
        Assert.Empty(gate.Events<SnapshotBegun>());

        gate.Time.Advance(TimeSpan.FromHours(25));
        await gate.EventAsync<SnapshotCompleted>();
    }

    /// <summary>One that keeps two days, in small segments.</summary>
    private static Task<TestGate> RetainingAsync(TestData data) =>
        TestGate.StartAsync(new() { Data = data.Root, Settings = settings => settings.LogRetain = "2", Journal = new() { SegmentBytes = 20_000 } });

    [Fact]
    public async Task What_is_older_than_the_retention_goes_and_the_rest_still_verifies()
    {
        using var data = new TestData();
        await using var gate = await RetainingAsync(data);
        var keeper = gate.Services.GetRequiredService<LogKeeper>();
        for (var day = 0; day < 6; day++)
        {
            for (var i = 0; i < 300; i++)
                await gate.PostMcpAsync(null, "{}");
            await keeper.KeepAsync(TestContext.Current.CancellationToken);
            gate.Time.Advance(TimeSpan.FromHours(23));
        }

        var report = LogVerifier.Verify(new LogFiles(data.Log), NoteKey.Check);

        Assert.Empty(report.Faults);
        Assert.True(report.FirstIndex >= 256, $"{report.FirstIndex}");
        Assert.Equal(report.FirstIndex, gate.Events<LogPruned>()[^1].MinimumIndex);
        Assert.True(new LogFiles(data.Log).Segments()[0].FirstIndex >= report.FirstIndex);

        // Such a log is backed up and restored as it is.
        using var place = new TestData();
        var (file, restored) = (Path.Combine(place.Root, "backup.tar.gz"), Path.Combine(place.Root, "restored"));
        var backup = await new Backup(new(data.Root), gate.Time).WriteAsync(file, TestContext.Current.CancellationToken);
        Assert.Equal(report.Length, backup.Manifest.Size);
        await using (var archive = File.OpenRead(file))
            await new Restore(new(restored), gate.Time).RunAsync(archive, keys: null, TestContext.Current.CancellationToken);
        var copy = LogVerifier.Verify(new LogFiles(Path.Combine(restored, "log-epoch-1")), NoteKey.Check);
        Assert.Empty(copy.Faults);
        Assert.Equal((report.FirstIndex, report.Length), (copy.FirstIndex, copy.Length));
        await gate.StopAsync();

        await using var again = await TestGate.StartAsync(new() { Data = data.Root }, withUser: false);
        Assert.Empty(LogVerifier.Verify(new LogFiles(data.Log), NoteKey.Check).Faults);
    }

    [Theory]
    [InlineData("begun_at")]
    [InlineData("id")]
    [InlineData("time")]
    public async Task Nothing_is_pruned_on_the_word_of_the_list_of_snapshots_alone(string damaged)
    {
        using var data = new TestData();
        await using var gate = await RetainingAsync(data);
        var keeper = gate.Services.GetRequiredService<LogKeeper>();
        for (var i = 0; i < 600; i++)
            await gate.PostMcpAsync(null, "{}");
        await keeper.KeepAsync(TestContext.Current.CancellationToken);
        for (var i = 0; i < 600; i++)
            await gate.PostMcpAsync(null, "{}");
        var list = Path.Combine(data.Log, Retention.SnapshotsFile);
        var taken = new Retention(new(data.Log)).Snapshots()[^1];
        var length = gate.Events().Count;
        var written = File.ReadAllText(list);
        var (from, to) = damaged switch
        {
            "begun_at" => ($"\"begun_at\":{taken.BegunAt}", $"\"begun_at\":{length - 1}"),
            "id" => ($"\"id\":\"{taken.Id}\"", "\"id\":\"another\""),
            _ => (taken.Time.ToString("yyyy-MM-dd"), taken.Time.AddDays(-2).ToString("yyyy-MM-dd")),
        };
        Assert.Contains(from, written);
        File.WriteAllText(list, written.Replace(from, to));

        // Until it is as old as it has to be; by the list it would be that at once.
        for (var step = 0; step < (damaged == "time" ? 2 : 3); step++)
        {
            gate.Time.Advance(TimeSpan.FromHours(23));
            await keeper.KeepAsync(TestContext.Current.CancellationToken);
        }

        Assert.Empty(gate.Events<LogPruned>());
        Assert.Equal(0, LogVerifier.Verify(new LogFiles(data.Log), NoteKey.Check).FirstIndex);
    }

    [Theory]
    [InlineData("[null]")]
    [InlineData("[{}]")]
    [InlineData("""[{"id":"a","begun_at":-1,"time":"9999-12-31T23:59:59Z"}]""")]
    [InlineData("null")]
    [InlineData("[{")]
    public async Task A_list_of_snapshots_that_is_damaged_keeps_none_from_being_taken(string list)
    {
        using var data = new TestData();
        Directory.CreateDirectory(data.Log);
        File.WriteAllText(Path.Combine(data.Log, Retention.SnapshotsFile), list);
        await using var gate = await TestGate.StartAsync(new() { Data = data.Root });

        gate.Time.Advance(TimeSpan.FromHours(25));
        await gate.EventAsync<SnapshotCompleted>();
        await gate.StopAsync();

        Assert.Contains(new Retention(new(data.Log)).Snapshots()[^1].Id, gate.Events<SnapshotCompleted>().Select(taken => taken.Snapshot));
    }

    [Fact]
    public async Task A_process_that_dies_while_it_prunes_leaves_a_whole_log_and_nothing_that_the_next_pruning_does_not_remove()
    {
        using var data = new TestData();
        var pruned = await PrunableAsync(data);
        using var whole = new TestData(inMemory: true);
        whole.CopyFrom(data);
        new Retention(new(whole.Log)).Prune(pruned);
        var steps = 0;

        for (var died = true; died; steps++)
        {
            using var copy = new TestData(inMemory: true);
            copy.CopyFrom(data);
            var files = new LogFiles(copy.Log);
            var left = steps;
            died = false;
            try
            {
                new Retention(files, path =>
                {
                    if (left-- == 0)
                        throw new OperationCanceledException("killed");
                    File.Delete(path);
                }).Prune(pruned);
            }
            catch (OperationCanceledException)
            {
                died = true;
            }
            Assert.Empty(LogVerifier.Verify(files, NoteKey.Check).Faults);

            new Retention(files).Prune(pruned);

            Assert.Empty(LogVerifier.Verify(files, NoteKey.Check).Faults);
            Assert.Equal(NamesOf(whole.Log), NamesOf(copy.Log));
        }
        Assert.True(steps > 10, $"{steps}");
    }

    [Fact]
    public async Task Partial_bundles_that_were_left_beside_full_ones_go_with_them()
    {
        using var data = new TestData();
        var pruned = await PrunableAsync(data);
        var leaves = JournalFiles.ReadAll(data.Log).Select(leaf => leaf.Bytes).ToList();
        foreach (var (name, bytes) in new (string, byte[])[]
        {
            ("tile/entries/000.p/5", LogWriter.Bundle(leaves.Take(5))),
            ("tile/entries/001.p/3", LogWriter.Bundle(leaves.Skip(256).Take(3))),
            ("tile/0/001.p/3", File.ReadAllBytes(Path.Combine(data.Log, "tile/0/001"))[..96]),
        })
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(data.Log, name))!);
            File.WriteAllBytes(Path.Combine(data.Log, name), bytes);
        }
        var files = new LogFiles(data.Log);
        Assert.Empty(LogVerifier.Verify(files, NoteKey.Check).Faults);

        new Retention(files).Prune(pruned);

        var report = LogVerifier.Verify(files, NoteKey.Check);
        Assert.Empty(report.Faults);
        Assert.Equal(pruned.MinimumIndex, report.FirstIndex);
        Assert.DoesNotContain(NamesOf(data.Log), name => name.Contains("000.p/5") || name.Contains("001.p/3"));
    }

    /// <summary>A log of some 700 leaves in many segments, which says under its signature that most of them go.</summary>
    private static async Task<LogPruned> PrunableAsync(TestData data)
    {
        await using var gate = await TestGate.StartAsync(new() { Data = data.Root, Journal = new() { SegmentBytes = 20_000 } });
        for (var i = 0; i < 700; i++)
            await gate.PostMcpAsync(null, "{}");
        var taken = await gate.Services.GetRequiredService<Snapshots>().TakeAsync(TestContext.Current.CancellationToken);
        var pruned = new Retention(new(data.Log)).Before(taken)!;
        await gate.Services.GetRequiredService<AuditLog>().AppendAsync(pruned);
        await gate.StopAsync();
        return pruned;
    }

    private static IEnumerable<string> NamesOf(string log) =>
        Directory.EnumerateFiles(log, "*", SearchOption.AllDirectories).Select(path => Path.GetRelativePath(log, path)).Order(StringComparer.Ordinal);

    [Fact]
    public async Task A_log_that_is_pruned_while_it_is_verified_is_no_fault()
    {
        using var data = new TestData();
        await using var gate = await TestGate.StartAsync(new() { Data = data.Root, Journal = new() { SegmentBytes = 20_000 } });
        for (var i = 0; i < 700; i++)
            await gate.PostMcpAsync(null, "{}");
        var files = new LogFiles(data.Log);
        var retention = new Retention(files);
        var pruned = retention.Before(await gate.Services.GetRequiredService<Snapshots>().TakeAsync(TestContext.Current.CancellationToken))!;
        var store = new PrunedMeanwhile(files, () =>
        {
            var index = gate.Services.GetRequiredService<AuditLog>().AppendAsync(pruned).AsTask().GetAwaiter().GetResult();
            var sealer = gate.Services.GetRequiredService<Sealer>();
            sealer.SealAsync(CancellationToken.None).GetAwaiter().GetResult();
            // As the keeper does: nothing goes before it is signed that it will.
            Assert.InRange(sealer.SealedSize, index + 1, long.MaxValue);
            retention.Prune(pruned);
        });
        await gate.Services.GetRequiredService<Sealer>().SealAsync(TestContext.Current.CancellationToken);

        var report = LogVerifier.Verify(store, NoteKey.Check);

        Assert.Empty(report.Faults);
        Assert.Equal(pruned.MinimumIndex, report.FirstIndex);
    }

    /// <summary>Prunes when the first bundle is to be read.</summary>
    private sealed class PrunedMeanwhile(LogFiles files, Action prune) : ILogStore
    {
        private bool _pruned;

        public IReadOnlyList<(long FirstIndex, string Name)> Segments() => files.Segments();

        public long? FirstBundle() => files.FirstBundle();

        public Stream? Open(string name)
        {
            if (!_pruned && name.StartsWith("tile/entries/", StringComparison.Ordinal))
            {
                _pruned = true;
                prune();
            }
            return files.Open(name);
        }
    }

    [Fact]
    public async Task A_beginning_that_nobody_pruned_is_missed()
    {
        using var data = new TestData();
        await using (var gate = await TestGate.StartAsync(new() { Data = data.Root, Journal = new() { SegmentBytes = 20_000 } }))
        {
            for (var i = 0; i < 700; i++)
                await gate.PostMcpAsync(null, "{}");
            await gate.StopAsync();
        }
        var files = new LogFiles(data.Log);
        var second = files.Segments().Last(segment => segment.FirstIndex < 512);
        var retention = new Retention(files);
        retention.Prune(retention.Before(new("", second.FirstIndex, default))!);

        var report = LogVerifier.Verify(files, NoteKey.Check);

        Assert.Contains(report.Faults, fault => fault.Kind == LogFaultKind.Gap);
    }
}
