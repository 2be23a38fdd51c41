using System.Net;
using System.Net.Sockets;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit.Values;
using Sallyport.Server.Configuration;

namespace Sallyport.Server.Findings;

/// <summary>
/// The networks that commitments to addresses stand for: a /16 of IPv4, a /32 of IPv6. It is known here only, and for some minutes: no event has it. Of addresses of this machine, and of private networks,
/// it says nothing.
/// </summary>
internal sealed class SourceNetworks(DataDirectory directory, TimeProvider time)
{
    private const int Most = 10_000;

    /// <summary>What is erased is forgotten here, too, at the latest then.</summary>
    private static readonly TimeSpan s_kept = TimeSpan.FromMinutes(10);

    private static readonly IPNetwork[] s_private = [.. new[] { "10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10" }.Select(IPNetwork.Parse)];

    private readonly Dictionary<string, string?> _known = new(StringComparer.Ordinal);
    private ValueReader? _values;
    private long _since = time.GetTimestamp();

    public string? Of(string commitment)
    {
        if (_known.TryGetValue(commitment, out var known))
            return known;
        if (_known.Count >= Most)
            _known.Clear();
        _values ??= new(directory.Log);
        return _known[commitment] = _values.Open(ValueKind.Address, commitment) is (ValueState.Open, { } text) ? NetworkOf(text) : null;
    }

    /// <summary>Whoever keeps the values open keeps them from being erased.</summary>
    public void Rest()
    {
        _values?.Dispose();
        _values = null;
        if (time.GetElapsedTime(_since) < s_kept)
            return;
        _known.Clear();
        _since = time.GetTimestamp();
    }

    /// <param name="text">An address as it is stored: of IPv6 the first 64 bits, with their number behind a slash.</param>
    internal static string? NetworkOf(string text)
    {
        if (!IPAddress.TryParse(text.Split('/')[0], out var address) || IPAddress.IsLoopback(address) || Array.Exists(s_private, network => network.Contains(address)))
            return null;
        var bytes = address.GetAddressBytes();
        var kept = address.AddressFamily == AddressFamily.InterNetworkV6 ? 4 : 2;
        bytes.AsSpan(kept).Clear();
        return $"{new IPAddress(bytes)}/{kept * 8}";
    }
}
