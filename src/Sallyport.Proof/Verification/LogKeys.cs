using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Sallyport.Proof.Events;
using Sallyport.Proof.Notes;

namespace Sallyport.Proof.Verification;

/// <summary>
/// The keys that have signed a log, one after the other. Each was introduced by the one before: by an event, in a tree that both of them
/// signed. So whoever has one of them can tell all of them.
/// </summary>
public sealed class LogKeys
{
    /// <summary>A larger file is refused, in bytes.</summary>
    public const int MaxBytes = 1024 * 1024;

    /// <summary>In order; a key signs heads of more leaves than <c>From</c>, up to where the next one begins.</summary>
    private readonly List<(VerifierKey Key, long From)> _keys = [];
    private readonly List<SignedNote> _handovers = [];

    private LogKeys(VerifierKey first) => _keys.Add((first, -1));

    public VerifierKey Newest => _keys[^1].Key;

    /// <summary>The checkpoints that were signed by two keys.</summary>
    public IReadOnlyList<SignedNote> Handovers => _handovers;

    /// <summary>Reads how the keys of a log were introduced. What cannot be believed ends it.</summary>
    /// <param name="known">One of them, which is trusted.</param>
    /// <param name="fault">What is wrong; null where nothing is.</param>
    /// <exception cref="InvalidDataException">The file is larger than any that a gate writes.</exception>
    public static LogKeys Read(ILogStore store, VerifierKey known, Ed25519Check check, out string? fault)
    {
        fault = null;
        var lines = store.Read(ILogStore.VerifierKeys, MaxBytes) is { } bytes ? Encoding.UTF8.GetString(bytes).Split('\n') : [""];
        LogKeys? keys = null;
        for (var number = 1; number < lines.Length; number++)
        {
            if (!TryParse(lines[number - 1], out var proof, out var rotated) || !VerifierKey.TryParse(rotated.Previous, out var previous) || !VerifierKey.TryParse(rotated.Key, out var key))
                fault = $"line {number} of {ILogStore.VerifierKeys} introduces no key";
            else
                fault = (keys ??= new(previous)).Add(proof, previous, key, check) ? null : $"line {number} of {ILogStore.VerifierKeys} introduces a key, {key}, that {keys.Newest} did not";
            if (fault is not null)
                break;
        }
        if (lines[^1].Length > 0)
            fault ??= $"{ILogStore.VerifierKeys} is cut off";
        if (keys is null || keys.Has(known))
            return keys ?? new(known);
        fault ??= $"the log's key, {known}, is none of those in {ILogStore.VerifierKeys}";
        return new(known);
    }

    /// <summary>The line that introduces a key.</summary>
    /// <param name="proof">That the event is in a tree, with the event itself as its extra.</param>
    public static string Line(TlogProof proof) => JsonSerializer.Serialize(new KeyLine(proof.ToString()), KeyLineContext.Default.KeyLine);

    public bool Has(VerifierKey key) => _keys.Exists(one => one.Key == key);

    /// <summary>The key that signs a head of so many leaves; at a change, the one before, with which the next one signs.</summary>
    public VerifierKey For(long size) => _keys.FindLast(one => one.From < size).Key;

    private bool Add(TlogProof proof, VerifierKey previous, VerifierKey key, Ed25519Check check)
    {
        if (previous != Newest || key.Name != previous.Name || key.Type != SignatureType.Ed25519 || Has(key)
            || !proof.Shows(proof.Extra.Span, previous, check) || !proof.SignedCheckpoint.IsSignedBy(key, check)
            || !Checkpoint.TryParse(proof.SignedCheckpoint.Text, out var head) || head.Size <= _keys[^1].From)
            return false;
        _keys.Add((key, head.Size));
        _handovers.Add(proof.SignedCheckpoint);
        return true;
    }

    private static bool TryParse(string line, out TlogProof proof, out LogKeyRotated rotated)
    {
        (proof, rotated) = (null!, null!);
        try
        {
            if (JsonSerializer.Deserialize(line, KeyLineContext.Default.KeyLine)?.Proof is not { } text || !TlogProof.TryParse(Encoding.UTF8.GetBytes(text), out proof)
                || !proof.Extra.Span.StartsWith("{\"type\":\"log.key_rotated\""u8) || AuditEventJson.Read(proof.Extra.Span) is not LogKeyRotated found)
                return false;
            rotated = found;
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}

internal sealed record KeyLine([property: JsonPropertyName("proof"), JsonRequired] string Proof);

[JsonSerializable(typeof(KeyLine))]
[JsonSourceGenerationOptions(UnmappedMemberHandling = JsonUnmappedMemberHandling.Skip)]
internal sealed partial class KeyLineContext : JsonSerializerContext;
