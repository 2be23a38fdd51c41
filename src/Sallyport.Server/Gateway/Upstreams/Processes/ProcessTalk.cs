using System.Text;
using Microsoft.Extensions.Logging;
using Sallyport.Server.Pipeline;

namespace Sallyport.Server.Gateway.Upstreams.Processes;

/// <summary>
/// What a server's process says besides messages, which goes to the gate's diagnostic log: its standard error line by line, and what it
/// wrote to its standard output that is no message. Lines are cut, and of very many the rest is only counted.
/// </summary>
internal sealed partial class ProcessTalk(ILogger logger, Func<string> name, TimeProvider time)
{
    /// <summary>Of one line, in bytes.</summary>
    private const int LineLength = 2_000;
    private const int LinesPerInterval = 200;
    private const int LinesRemembered = 5;
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private readonly Queue<string> _latest = new();
    private long _intervalBegan = time.GetTimestamp();
    private int _lines;
    private int _leftOut;

    /// <summary>The last lines, for a fault that has to say what happened.</summary>
    public IReadOnlyList<string> Latest
    {
        get
        {
            lock (_lock)
                return [.. _latest];
        }
    }

    /// <summary>Reads to the end: a process whose standard error nobody reads stands still.</summary>
    public async Task ReadAsync(Stream standardError)
    {
        var buffer = new byte[LineLength];
        var line = new byte[LineLength];
        var length = 0;
        var isCut = false;
        try
        {
            while (await standardError.ReadAsync(buffer) is > 0 and var count)
            {
                foreach (var each in buffer.AsSpan(0, count))
                {
                    if (each == (byte)'\n')
                    {
                        Say(line.AsSpan(0, length), isCut);
                        (length, isCut) = (0, false);
                    }
                    else if (length < LineLength)
                    {
                        line[length++] = each;
                    }
                    else
                    {
                        isCut = true;
                    }
                }
            }
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException or OperationCanceledException)
        {
            // The process is gone, and what it said last with it.
        }
        if (length > 0)
            Say(line.AsSpan(0, length), isCut);
    }

    /// <summary>A line of its standard output that is no message.</summary>
    public void NoMessage(ReadOnlySpan<byte> line)
    {
        var text = Text(line, line.Length > LineLength);
        if (MaySay())
            LogNoMessage(logger, name(), text);
    }

    private void Say(ReadOnlySpan<byte> line, bool isCut)
    {
        var text = Text(line, isCut);
        if (text.Length == 0)
            return;
        lock (_lock)
        {
            if (_latest.Count == LinesRemembered)
                _latest.Dequeue();
            _latest.Enqueue(text);
        }
        if (MaySay())
            LogLine(logger, name(), text);
    }

    private static string Text(ReadOnlySpan<byte> line, bool isCut) =>
        Recording.Redact(Encoding.UTF8.GetString(line[..Math.Min(line.Length, LineLength)]).TrimEnd()) + (isCut ? "…" : "");

    private bool MaySay()
    {
        int leftOut;
        lock (_lock)
        {
            if (_lines < LinesPerInterval)
            {
                _lines++;
                return true;
            }
            if (time.GetElapsedTime(_intervalBegan) < s_interval)
            {
                _leftOut++;
                return false;
            }
            (leftOut, _leftOut, _lines, _intervalBegan) = (_leftOut, 0, 1, time.GetTimestamp());
        }
        if (leftOut > 0)
            LogLeftOut(logger, name(), leftOut);
        return true;
    }

    [LoggerMessage(1, LogLevel.Information, "{Server}: {Line}")]
    private static partial void LogLine(ILogger logger, string server, string line);

    [LoggerMessage(2, LogLevel.Warning, "{Server} wrote a line to its standard output that is no message, which was dropped: {Line}")]
    private static partial void LogNoMessage(ILogger logger, string server, string line);

    [LoggerMessage(3, LogLevel.Warning, "{Server}: … and {Count} more lines, which were left out")]
    private static partial void LogLeftOut(ILogger logger, string server, int count);
}
