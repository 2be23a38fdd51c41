using System.Text;
using Sallyport.Proof.Report;

namespace Sallyport.Proof.Import;

/// <summary>What servers say beside their requests, as far as it tells something: the Python SDK's of clients that register and of requests that it processes, uvicorn's of its start.</summary>
internal sealed class ServerTalk(FlowTracker flows, Sessions sessions)
{
    private bool _isTypeNext;

    private static ReadOnlySpan<byte> Handles => "Processing request of type"u8;

    public Count Registrations { get; } = new();

    /// <summary>Requests that a server said it processes.</summary>
    public Count Handled { get; } = new();

    public Count ToolCalls { get; } = new();

    /// <summary>False where the line says nothing of it.</summary>
    /// <param name="isFirst">Whether no request is in the log before.</param>
    public bool TryRead(ReadOnlySpan<byte> text, long line, DateTimeOffset? time, bool isFirst)
    {
        var isTypeNext = _isTypeNext;
        _isTypeNext = false;
        if (After(text, "Registering OAuth client: "u8) is { Length: > 0 } client)
        {
            Registrations.Add(line, time);
            flows.Registered(Encoding.UTF8.GetString(client), line, time);
        }
        else if (text.IndexOf(Handles) >= 0)
        {
            Handled.Add(line, time);
            var type = After(text, Handles);
            // FastMCP's console breaks lines: the place in its code stands where the type was, and the type in the next line.
            _isTypeNext = type.IsEmpty || type.Contains((byte)':');
            if (!_isTypeNext)
                Handle(type, line, time);
        }
        else if (isTypeNext && After(text, []) is var type && type.EndsWith("Request"u8))
        {
            Handle(type, line, time);
        }
        else if (text.IndexOf("Uvicorn running on "u8) >= 0)
        {
            sessions.Started(isFirst);
        }
        else
        {
            return false;
        }
        return true;
    }

    private void Handle(ReadOnlySpan<byte> type, long line, DateTimeOffset? time)
    {
        var handled = Encoding.UTF8.GetString(type);
        if (handled == FlowTracker.CallTool)
            ToolCalls.Add(line, time);
        flows.Handled(handled, line, time);
    }

    /// <summary>The word behind a marker.</summary>
    private static ReadOnlySpan<byte> After(ReadOnlySpan<byte> line, ReadOnlySpan<byte> marker)
    {
        var at = line.IndexOf(marker);
        if (at < 0)
            return [];
        var rest = line[(at + marker.Length)..];
        return Words.Cut(ref rest);
    }
}
