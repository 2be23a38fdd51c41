using System.CommandLine;
using System.Globalization;
using System.Text;
using Sallyport.Log;
using Sallyport.Proof.Journal;
using Sallyport.Server.Audit;
using Sallyport.Server.Audit.Index;
using Sallyport.Tests.Proof.Support;

namespace Sallyport.Tests.Audit;

/// <summary>What is found with the index is what a reading of the whole journal finds.</summary>
public sealed class EventSearchTests : IDisposable
{
    private static readonly DateTimeOffset s_begin = new(2026, 11, 24, 16, 0, 0, TimeSpan.Zero);
    private static readonly string[] s_types = ["access.allowed", "access.refused", "token.issued", "session.opened", "stop"];
    private static readonly TimeSpan s_follow = TimeSpan.FromMilliseconds(250);

    private readonly TestData _data = new(inMemory: true);
    private readonly Dice _dice = Dice.New();

    public static TheoryData<string> EveryHarm =>
        ["none", "missing", "one missing", "cut", "bit", "zeros", "exchanged", "longer", "of a journal that lost its end", "of a segment that was pruned", "journal torn", "journal damaged"];

    public void Dispose() => _data.Dispose();

    [Theory]
    [MemberData(nameof(EveryHarm))]
    public async Task Whatever_became_of_the_index_it_changes_no_answer(string harm)
    {
        await WriteAsync(900, hostile: true);
        Index();
        // What nobody has indexed yet.
        await WriteAsync(40, hostile: true);
        await HarmAsync(harm);

        for (var i = 0; i < 60; i++)
        {
            var arguments = RandomFilter();
            var filter = Filter(arguments);
            var expected = JournalFiles.ReadAll(_data.Log).Where(filter.Matches).Select(Shown).ToList();
            var why = $"{harm}, {string.Join(' ', arguments)}, seed {_dice.Seed}";

            Assert.True(expected.SequenceEqual(EventSearch.OldestFirst(_data.Log, filter.Query).Where(filter.Matches).Select(Shown)), why);
            Assert.True(expected.AsEnumerable().Reverse().SequenceEqual(EventSearch.NewestFirst(_data.Log, filter.Query).Where(filter.Matches).Select(Shown)), why);
        }
        var events = JournalFiles.ReadAll(_data.Log).Where(leaf => new EventLine(leaf).Event is not null).ToList();
        foreach (var leaf in Enumerable.Range(0, 60).Select(_ => _dice.Of(events)))
            Assert.Contains(EventSearch.NewestFirst(_data.Log, new() { Id = new EventLine(leaf).Id }), found => found.Index == leaf.Index);
    }

    [Theory]
    [MemberData(nameof(EveryHarm))]
    public async Task Whatever_became_of_it_it_is_made_anew(string harm)
    {
        await WriteAsync(900, hostile: false);
        Index();
        await HarmAsync(harm);
        Index();

        var files = new LogFiles(_data.Log);
        // Behind damage no number is certain.
        foreach (var (firstIndex, name) in files.Segments().Where(_ => harm is not ("journal damaged" or "journal torn")))
        {
            using var index = SegmentIndex.Open(files, firstIndex, name);
            Assert.True(index.IsWhole, name);
            Assert.Equal(new FileInfo(files.PathOf(SegmentIndex.NameOf(name))).Length, (long)index.Count * IndexEntry.Bytes);
        }
    }

    [Fact]
    public async Task With_a_whole_index_nothing_is_read_but_what_is_sought()
    {
        await WriteAsync(900, hostile: false);
        Index();

        for (var i = 0; i < 60; i++)
        {
            // Times are kept by the second, so those that begin or end within one are looked at.
            var filter = Filter([.. RandomFilter(times: false), "--type", "stop"]);
            Assert.All(EventSearch.OldestFirst(_data.Log, filter.Query), leaf => Assert.True(filter.Matches(leaf)));
        }
        Assert.Empty(EventSearch.OldestFirst(_data.Log, new() { Grant = "not there" }));
        var grant = new EventLine(JournalFiles.ReadAll(_data.Log).First()).Text("grant")!;
        Assert.All(EventSearch.OldestFirst(_data.Log, new() { Grant = grant }), leaf => Assert.Equal(grant, new EventLine(leaf).Text("grant")));
    }

    [Fact]
    public async Task A_search_that_is_bounded_looks_at_the_newest_segments_only()
    {
        await WriteAsync(900, hostile: false);
        Index();
        var segments = JournalFiles.Segments(_data.Log);

        Assert.Equal(segments[^2].FirstIndex, EventSearch.NewestFirst(_data.Log, new(), mostSegments: 2).Last().Index);
    }

    [Fact]
    public async Task The_gate_writes_the_index_as_it_goes_and_makes_it_anew_where_it_is_gone()
    {
        var options = new TestGateOptions { Data = _data.Root, Journal = new() { SegmentBytes = 16 * 1024 } };
        await using (var gate = await TestGate.StartAsync(options))
        {
            for (var i = 0; i < 400; i++)
                await gate.PostMcpAsync(null, "{}");
            await gate.StopAsync();
        }
        Assert.All(OlderSegments(), segment => Assert.True(IsIndexed(segment)));

        // Some of it is gone, some damaged, and some is of a segment that was pruned.
        var files = new LogFiles(_data.Log);
        var older = OlderSegments();
        Assert.True(older.Count > 3);
        File.Delete(files.PathOf(SegmentIndex.NameOf(older[0].Name)));
        var damaged = files.PathOf(SegmentIndex.NameOf(older[1].Name));
        File.WriteAllBytes(damaged, [.. File.ReadAllBytes(damaged).Select((one, i) => i == 100 ? (byte)~one : one)]);
        var orphan = files.PathOf(SegmentIndex.NameOf(Path.GetFileName(JournalFiles.PathOf("", 999_999))));
        File.Copy(damaged, orphan);
        Assert.False(IsIndexed(older[1]));

        await using (var gate = await TestGate.StartAsync(options, withUser: false))
        {
            // One segment a turn.
            for (var turn = 1; turn <= JournalFiles.Segments(_data.Log).Count; turn++)
            {
                await gate.Time.TimersAsync(s_follow, turn);
                gate.Time.Advance(s_follow);
            }
            await gate.StopAsync();
        }

        Assert.All(OlderSegments(), segment => Assert.True(IsIndexed(segment)));
        Assert.False(File.Exists(orphan));
    }

    [Fact]
    public async Task An_index_that_cannot_be_written_is_told_once_and_keeps_nobody_from_anything()
    {
        Directory.CreateDirectory(_data.Log);
        await File.WriteAllTextAsync(Path.Combine(_data.Log, SegmentIndex.Folder), "no directory", TestContext.Current.CancellationToken);

        await using var gate = await TestGate.StartAsync(new() { Data = _data.Root });
        await gate.Time.TimersAsync(s_follow, 1);
        gate.Time.Advance(s_follow);
        await gate.Time.TimersAsync(s_follow, 2);
        var response = await gate.PostMcpAsync(null, "{}");

        Assert.IsType<AccessRefused>(gate.EventOf(response));
        Assert.Single(gate.Log.Lines, line => line.StartsWith("Warning The index of the log", StringComparison.Ordinal));
        Assert.NotEmpty(EventSearch.NewestFirst(_data.Log, new() { Types = ["access.refused"] }));
    }

    private static string Shown(Leaf leaf) => $"{leaf.Index} {Encoding.UTF8.GetString(leaf.Bytes)}";

    private static EventFilter Filter(IEnumerable<string> arguments)
    {
        var command = new RootCommand();
        foreach (var option in EventFilter.Options)
            command.Add(option);
        var parsed = command.Parse([.. arguments]);
        Assert.Empty(parsed.Errors);
        return EventFilter.Of(parsed, TimeProvider.System);
    }

    private List<string> RandomFilter(bool times = true)
    {
        var arguments = new List<string>();
        foreach (var member in new[] { "client", "subject", "session" })
        {
            if (_dice.Below(3) == 0)
                arguments.AddRange([$"--{member}", $"{member}-{_dice.Below(6)}"]);
        }
        for (var types = _dice.Below(3); types > 0; types--)
            arguments.AddRange(["--type", _dice.Of(s_types)]);
        foreach (var option in new[] { "--since", "--until" })
        {
            if (times && _dice.Below(3) == 0)
                arguments.AddRange([option, Time(_dice.Below(1000))]);
        }
        return arguments;
    }

    private static string Time(int i) => s_begin.AddMilliseconds(i * 370).ToString("yyyy-MM-dd'T'HH:mm:ss.fffzzz", CultureInfo.InvariantCulture);

    private async Task WriteAsync(int count, bool hostile)
    {
        Directory.CreateDirectory(_data.Log);
        await using var journal = new Journal(_data.Log, JournalFiles.OpenEnd(_data.Log, 0, JournalFiles.OpenFile), new() { SegmentBytes = 32 * 1024 }, TimeProvider.System, static _ => { });
        for (var i = 0; i < count; i++)
            await journal.AppendAsync(Encoding.UTF8.GetBytes(hostile && _dice.Below(8) == 0 ? HostileLeaf(i) : RandomLeaf(i)));
    }

    private string RandomLeaf(int i) =>
        $$"""{"type":"{{_dice.Of(s_types)}}","id":"{{_dice.Next():x}}","time":"{{Time(i)}}","elapsed":{{i}},{{Member("client")}},"scopes":[{"client":"client-0"}],{{Member("subject")}},{{Member("session")}},"grant":"grant-{{_dice.Below(6)}}","reason":"{{new string('x', _dice.Below(200))}}"}""";

    private string Member(string name) => _dice.Below(4) == 0 ? $"\"{name}_\":null" : $"\"{name}\":\"{name}-{_dice.Below(6)}\"";

    /// <summary>What no gate writes, and a reader may take for an event all the same.</summary>
    private string HostileLeaf(int i) => _dice.Below(9) switch
    {
        0 => "no JSON",
        1 => "[1]",
        2 => $$"""{"cl\u0069ent":"cl\u0069ent-1","t\u0079pe":"st\u006fp","id":"{{_dice.Next():x}}","time":"{{Time(i)}}"}""",
        3 => $$"""{"client":"client-2","type":"stop","type":"access.refused","id":"{{_dice.Next():x}}","client":"client-1","time":"{{Time(3)}}","time":"{{Time(i)}}"}""",
        4 => $$"""{"client":"client-2","type":"stop","id":"{{_dice.Next():x}}","client":7,"time":"{{Time(i)}}","subject":{"subject":"subject-1"} }""",
        5 => $$"""{"type":"stop","id":"\ud800","time":"{{Time(i)}}","client":"client-1"}""",
        6 => $$"""{"type":"stop","id":"{{_dice.Next():x}}","time":"0001-01-01T00:00:00Z","client":"client-1"}""",
        7 => $$"""{"time":"9999-12-31T00:00:00Z","id":"{{_dice.Next():x}}","subject":"subject-1","type":"stop"}""",
        _ => $$"""{"type":"","id":"{{_dice.Next():x}}","time":"{{Time(i)}}","client":"client-1"}""",
    };

    private void Index()
    {
        var files = new LogFiles(_data.Log);
        foreach (var (firstIndex, name) in files.Segments())
            new SegmentIndexer(files, firstIndex, name).Advance();
    }

    /// <summary>Without those that a gate may have begun, or ended, with its last events.</summary>
    private List<(long FirstIndex, string Name)> OlderSegments() => [.. new LogFiles(_data.Log).Segments().SkipLast(2)];

    private bool IsIndexed((long FirstIndex, string Name) segment)
    {
        using var index = SegmentIndex.Open(new(_data.Log), segment.FirstIndex, segment.Name);
        return index.Count > 0 && index.IsWhole;
    }

    private async Task HarmAsync(string harm)
    {
        var folder = Path.Combine(_data.Log, SegmentIndex.Folder);
        var indexes = Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal).ToList();
        var (one, segments) = (_dice.Of(indexes), JournalFiles.Segments(_data.Log));
        Assert.True(indexes.Count > 4);
        switch (harm)
        {
            case "missing":
                Directory.Delete(folder, recursive: true);
                break;
            case "one missing":
                File.Delete(one);
                break;
            case "cut":
                Change(one, bytes => bytes[.._dice.Below(bytes.Length)]);
                break;
            case "bit":
                Change(one, bytes =>
                {
                    bytes[_dice.Below(bytes.Length)] ^= (byte)(1 << _dice.Below(8));
                    return bytes;
                });
                break;
            case "zeros":
                Change(one, bytes =>
                {
                    bytes.AsSpan(_dice.Below(bytes.Length)).Clear();
                    return bytes;
                });
                break;
            case "exchanged":
                File.Copy(indexes[1], indexes[2], overwrite: true);
                break;
            case "longer":
                Change(one, bytes => [.. bytes, .. _dice.Bytes(100)]);
                break;
            case "of a journal that lost its end":
                Index();
                Change(segments[^1].Path, bytes => bytes[..(bytes.Length / 2)]);
                await WriteAsync(200, hostile: true);
                break;
            case "of a segment that was pruned":
                File.Delete(segments[0].Path);
                break;
            case "journal torn":
                Change(segments[^1].Path, bytes => bytes[..^3]);
                break;
            case "journal damaged":
                // In what a leaf says, so that a reading of the journal too knows how many there are.
                Change(segments[2].Path, bytes =>
                {
                    bytes[JournalRecord.HeaderBytes + 5] ^= 1;
                    return bytes;
                });
                break;
            default:
                break;
        }
    }

    private static void Change(string path, Func<byte[], byte[]> change) => File.WriteAllBytes(path, change(File.ReadAllBytes(path)));
}
