using Sallyport.Proof.Events;

namespace Sallyport.Proof.Findings;

/// <summary>
/// What one user allowed one client is used to and fro between networks far from each other: by two who hold the same token, it may be. Who travels leaves a network behind;
/// a machine with IPv4 and IPv6 has one of each; and a network that several users of a client come from is the client's own, or an office's.
/// </summary>
/// <param name="networkOf">The network that the commitment to an address stands for; null where that cannot be known, and then the access says nothing here.</param>
internal sealed class DistantNetworks(Func<string, string?> networkOf) : IFindingRule
{
    private readonly Recent<(string, string), Trails> _callers = new(Thresholds.Remembered);
    private readonly Recent<(string, string), HashSet<string>> _users = new(Thresholds.Remembered);

    public void Observe(in FindingRules.Step step)
    {
        if (step.Event is not AccessAllowed { Source: { } source } access || networkOf(source) is not { } network)
            return;
        var users = _users.Of((access.Client, network));
        if (users.Count < Thresholds.UsersOfSharedNetwork)
            users.Add(access.Subject);
        var trails = _callers.Of((access.Client, access.Subject));
        var trail = network.Contains(':') ? trails.V6 : trails.V4;
        if (!trail.Returns(network, step.Now, out var from) || IsShared(access.Client, from) || users.Count >= Thresholds.UsersOfSharedNetwork)
            return;
        var counted = trail.Counted.Add(step.Now, step.Index, Thresholds.NetworkSpan, Thresholds.NetworkReturns);
        if (counted.Count >= Thresholds.NetworkReturns)
            step.Raise(FindingRule.DistantNetworks, counted, Thresholds.NetworkReturns, new(Client: access.Client, Subject: access.Subject));
    }

    private bool IsShared(string client, string network) => _users.TryFind((client, network), out var users) && users.Count >= Thresholds.UsersOfSharedNetwork;

    private sealed class Trails
    {
        public Trail V4 { get; } = new();
        public Trail V6 { get; } = new();
    }

    private sealed class Trail
    {
        private const int Most = 16;

        private readonly Dictionary<string, DateTimeOffset> _used = new(StringComparer.Ordinal);
        private string? _last;

        public Window Counted { get; } = new();

        /// <summary>Whether it came back to a network that it was in shortly before, and from which one.</summary>
        public bool Returns(string network, DateTimeOffset now, out string from)
        {
            from = _last ?? network;
            var returns = from != network && _used.TryGetValue(network, out var before) && now - before <= Thresholds.NetworkSpan;
            if (_used.Count >= Most && !_used.ContainsKey(network))
                _used.Remove(_used.MinBy(pair => pair.Value).Key);
            (_used[network], _last) = (now, network);
            return returns;
        }
    }
}
