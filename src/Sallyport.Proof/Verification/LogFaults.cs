namespace Sallyport.Proof.Verification;

/// <summary>The faults that were found: the first hundred as they are, the rest counted.</summary>
internal sealed class LogFaults
{
    private const int Most = 100;
    private readonly List<LogFault> _first = [];

    public IReadOnlyList<LogFault> First => _first;

    public long Count { get; private set; }

    public void Add(LogFaultKind kind, long index, string text)
    {
        if (Count++ < Most)
            _first.Add(new(kind, index, text));
    }
}
