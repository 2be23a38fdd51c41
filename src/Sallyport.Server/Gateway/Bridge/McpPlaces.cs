using System.Buffers;

namespace Sallyport.Server.Gateway.Bridge;

/// <summary>
/// Where in a message the values stand by which one side finds the other's answers: they are its own, and are replaced where several
/// share a conversation. Empty is what the message does not have.
/// </summary>
/// <param name="Id">The id of a request, or of the one that is answered.</param>
/// <param name="ProgressToken"><c>params._meta.progressToken</c> of a request, <c>params.progressToken</c> of its progress.</param>
/// <param name="RequestId"><c>params.requestId</c> of <c>notifications/cancelled</c>.</param>
/// <param name="SubscriptionId"><c>_meta["io.modelcontextprotocol/subscriptionId"]</c>: the id of the request that subscribed.</param>
internal readonly record struct McpPlaces(Range Id, Range ProgressToken, Range RequestId, Range SubscriptionId)
{
    public static bool IsEmpty(Range place) => place.Equals(default);

    /// <summary>The place that says to which request a notification belongs; empty where none does.</summary>
    public Range OfRequest => !IsEmpty(SubscriptionId) ? SubscriptionId : !IsEmpty(ProgressToken) ? ProgressToken : RequestId;

    /// <summary>The message with other values in these places. Everything else stays, byte for byte.</summary>
    /// <param name="message">The bytes that were scanned.</param>
    /// <param name="id">For <see cref="Id"/>, <see cref="RequestId"/> and <see cref="SubscriptionId"/>.</param>
    /// <param name="progressToken">For <see cref="ProgressToken"/>; null leaves it.</param>
    public byte[] Replace(ReadOnlySpan<byte> message, byte[] id, byte[]? progressToken)
    {
        (Range Place, byte[]? Value)[] values = [(Id, id), (ProgressToken, progressToken), (RequestId, id), (SubscriptionId, id)];
        Array.Sort(values, static (one, other) => one.Place.Start.Value.CompareTo(other.Place.Start.Value));
        var replaced = new ArrayBufferWriter<byte>(message.Length + id.Length + (progressToken?.Length ?? 0));
        var from = 0;
        foreach (var (place, value) in values)
        {
            if (IsEmpty(place) || value is null)
                continue;
            replaced.Write(message[from..place.Start.Value]);
            replaced.Write(value);
            from = place.End.Value;
        }
        replaced.Write(message[from..]);
        return replaced.WrittenSpan.ToArray();
    }
}
