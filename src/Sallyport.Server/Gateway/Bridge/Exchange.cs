using System.Globalization;
using System.Text;
using Sallyport.Proof.Events;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Gateway.Bridge;

/// <summary>A request in a conversation that it shares with others: its number there, which takes the place of the ids that its client gave it.</summary>
internal sealed class Exchange
{
    private readonly ReadOnlyMemory<byte> _bytes;
    private readonly byte[] _id;
    private readonly byte[]? _progressToken;

    public Exchange(long number, McpMessage request, ReadOnlyMemory<byte> bytes)
    {
        (Number, Request, _bytes) = (number, request, bytes);
        NumberJson = Encoding.ASCII.GetBytes(number.ToString(CultureInfo.InvariantCulture));
        _id = bytes[request.Places.Id].ToArray();
        _progressToken = McpPlaces.IsEmpty(request.Places.ProgressToken) ? null : bytes[request.Places.ProgressToken].ToArray();
    }

    public long Number { get; }

    public byte[] NumberJson { get; }

    public McpMessage Request { get; }

    /// <summary>Why its answer was none that its client may get.</summary>
    public Reason? Fault { get; set; }

    /// <summary>What comes back for it, as its client knows it.</summary>
    public MessageQueue Queue { get; } = new(Limits.WaitingMessages);

    /// <summary>It is a stream of what its client subscribed to, and no call.</summary>
    public bool IsSubscription => Request.Method == McpMessage.Listen;

    /// <summary>Its client gave it a token for its progress.</summary>
    public bool WantsProgress => _progressToken is not null;

    public byte[] ToServer() => Request.Places.Replace(_bytes.Span, NumberJson, NumberJson);

    public byte[] ToClient(McpMessage message, byte[] line) => message.Places.Replace(line, _id, _progressToken);
}
