namespace Sallyport.Proof.Claims;

/// <summary>What was found against the claims so far: all of it is counted, the first of each claim is kept.</summary>
/// <param name="about">An event of which the first are kept, too, however many there are of others.</param>
internal sealed class Findings(long? about)
{
    private const int Most = 100;

    private readonly Tally[] _tallies = [.. Enum.GetValues<Claim>().Select(claim => new Tally(claim, about))];

    /// <summary>The event that a claim was refuted at last.</summary>
    public long? LastRefuted { get; private set; }

    public void Refute(Claim claim, long? index, string text, params ReadOnlySpan<long> others)
    {
        LastRefuted = index;
        _tallies[claim - Claim.C1].Add(new(claim, index, Refutes: true, text.ToPrintable(), [.. others]));
    }

    public void Miss(Claim claim, long? index, string text, params ReadOnlySpan<long> others) => _tallies[claim - Claim.C1].Add(new(claim, index, Refutes: false, text.ToPrintable(), [.. others]));

    /// <summary>An event was held against a claim.</summary>
    public void Judged(Claim claim) => _tallies[claim - Claim.C1].Judged++;

    public long CountJudged(Claim claim) => _tallies[claim - Claim.C1].Judged;

    /// <summary>What was found of the one event.</summary>
    public IReadOnlyList<ClaimFinding> About() => [.. _tallies.SelectMany(tally => tally.About)];

    public IReadOnlyList<ClaimResult> Results() => [.. _tallies.Select(tally => tally.Result())];

    private sealed class Tally(Claim claim, long? about)
    {
        private readonly List<ClaimFinding> _about = [];
        private readonly List<ClaimFinding> _refuting = [];
        private readonly List<ClaimFinding> _missing = [];
        private long _count;

        public long Judged { get; set; }

        public IReadOnlyList<ClaimFinding> About => _about;

        public void Add(ClaimFinding finding)
        {
            _count++;
            var kept = finding.Refutes ? _refuting : _missing;
            if (kept.Count < Most)
                kept.Add(finding);
            if (about is { } index && _about.Count < Most && (finding.Index == index || finding.Others.Contains(index)))
                _about.Add(finding);
        }

        public ClaimResult Result() => new(
            claim,
            _refuting.Count > 0 ? ClaimStatus.Refuted : _missing.Count > 0 ? ClaimStatus.Unknown : ClaimStatus.Proved,
            Judged,
            [.. _refuting.Concat(_missing).Take(Most)],
            _count);
    }
}
