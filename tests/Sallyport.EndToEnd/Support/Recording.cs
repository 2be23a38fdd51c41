using System.Text;
using System.Text.Json;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;

namespace Sallyport.EndToEnd.Support;

/// <summary>A log as <c>audit tail</c> shows it, or as its files have it.</summary>
internal sealed class Recording
{
    private readonly Dictionary<string, (long Number, AuditEvent Event)> _byId;

    private Recording(IReadOnlyList<AuditEvent> events)
    {
        Events = events;
        _byId = events.Select((e, number) => ((long)number, e)).ToDictionary(entry => entry.e.Id);
    }

    /// <summary>All events; each one's place is its number.</summary>
    public IReadOnlyList<AuditEvent> Events { get; }

    /// <summary>Reads all of it, and finds that no number is missing.</summary>
    public static async Task<Recording> ReadAsync(string dataDirectory)
    {
        var finished = await Executable.RunAsync("audit", "tail", "--json", "-n", "1000000", "--data", dataDirectory);
        Assert.True(finished.ExitCode == (int)ExitCode.Success, finished.Error);
        var events = new List<AuditEvent>();
        foreach (var line in finished.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            using var document = JsonDocument.Parse(line);
            Assert.Equal(events.Count, document.RootElement.GetProperty("number").GetInt64());
            events.Add(AuditEventJson.Read(Encoding.UTF8.GetBytes(document.RootElement.GetProperty("event").GetRawText())));
        }
        return new(events);
    }

    /// <summary>Reads its files, without a process and however many there are.</summary>
    public static Recording ReadFiles(DataFolder data)
    {
        var leaves = JournalFiles.ReadAll(data.Log).ToList();
        Assert.Equal(Enumerable.Range(0, leaves.Count).Select(number => (long)number), leaves.Select(leaf => leaf.Index));
        return new([.. leaves.Select(leaf => leaf.Event)]);
    }

    public IEnumerable<T> All<T>() where T : AuditEvent => Events.OfType<T>();

    public T Single<T>() where T : AuditEvent => Assert.Single(All<T>());

    public T Single<T>(Func<T, bool> predicate) where T : AuditEvent => Assert.Single(All<T>(), e => predicate(e));

    public bool Contains(string eventId) => _byId.ContainsKey(eventId);

    /// <summary>The event that an answer named.</summary>
    public AuditEvent Find(string eventId) =>
        _byId.TryGetValue(eventId, out var entry) ? entry.Event : throw new KeyNotFoundException($"The log has no event {eventId}");

    public long NumberOf(AuditEvent auditEvent) => _byId[auditEvent.Id].Number;

    /// <summary>The events stand in the log in this order.</summary>
    public void AssertInOrder(params IEnumerable<AuditEvent> events)
    {
        var numbers = events.Select(NumberOf).ToList();
        Assert.Equal(numbers.Order(), numbers);
    }
}
