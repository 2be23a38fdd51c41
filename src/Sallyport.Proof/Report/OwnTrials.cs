using Sallyport.Proof.Events;

namespace Sallyport.Proof.Report;

/// <summary>The gate's own requests that it refused: in how many rounds, and how many at each way in.</summary>
internal sealed class OwnTrials
{
    private const int Most = 1_000;

    private readonly Dictionary<string, long> _at = new(StringComparer.Ordinal);

    /// <summary>One for each upstream and time.</summary>
    public Count Rounds { get; } = new();

    /// <summary>How many were refused, by the gate and with a reason.</summary>
    public long Refused { get; private set; }

    public IEnumerable<string> Ways => _at.Keys;

    public long At(string way) => _at.GetValueOrDefault(way);

    public void Add(long index, HeartbeatAnswered answered)
    {
        Rounds.Add(index, answered);
        foreach (var answer in answered.Answers.Where(answer => answer is { ByGate: true, Reason: not null, Status: >= 400 }))
        {
            foreach (var way in answer.Ways ?? answered.Ways)
            {
                Refused++;
                if (_at.Count < Most || _at.ContainsKey(way))
                    _at[way] = At(way) + 1;
            }
        }
    }
}
