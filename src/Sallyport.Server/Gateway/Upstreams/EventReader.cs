using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using System.Text;
using Sallyport.Proof.Events;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Gateway.Upstreams;

/// <summary>One event of a text/event-stream.</summary>
/// <param name="Name">Its type; <c>message</c> where it has none.</param>
/// <param name="Retry">How many milliseconds to wait before the stream is opened again.</param>
/// <param name="Data">Its lines joined: line ends in JSON can only be white space between tokens, and become spaces.</param>
internal sealed record ServerEvent(string Name, string? Id, int? Retry, byte[] Data);

/// <summary>Reads a text/event-stream (HTML, section 9.2.6). An event is bounded, and a reader that is not asked for more reads no more.</summary>
internal static class EventReader
{
    /// <summary>A message, and the lines around it.</summary>
    private const int MostBytes = Limits.MessageBytes + (16 * 1024);

    /// <exception cref="UpstreamException">An event is larger than a message may be, or the stream broke.</exception>
    public static async IAsyncEnumerable<ServerEvent> ReadAllAsync(Stream stream, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var reader = PipeReader.Create(stream);
        var block = new Block();
        while (true)
        {
            ReadResult result;
            try
            {
                result = await reader.ReadAsync(cancellationToken);
            }
            catch (Exception exception) when (exception is IOException or HttpRequestException)
            {
                throw new UpstreamException(Reason.UpstreamEnded, reached: true, "its stream broke", exception);
            }
            var buffer = result.Buffer;
            while (TryReadLine(ref buffer, result.IsCompleted, out var line))
            {
                if (block.Add(line) is { } complete)
                    yield return complete;
            }
            if (block.Bytes + buffer.Length > MostBytes)
                throw new UpstreamException(Reason.UpstreamMalformed, reached: true, "an event of its stream is too large");
            if (result.IsCompleted)
                yield break;
            reader.AdvanceTo(buffer.Start, buffer.End);
        }
    }

    /// <summary>A line ends with LF, CR LF or CR; after a CR at the end of what has come, an LF may follow.</summary>
    private static bool TryReadLine(ref ReadOnlySequence<byte> buffer, bool isLast, out byte[] line)
    {
        line = [];
        var reader = new SequenceReader<byte>(buffer);
        if (!reader.TryReadToAny(out ReadOnlySequence<byte> read, "\r\n"u8, advancePastDelimiter: false))
            return false;
        reader.TryRead(out var end);
        if (end == '\r')
        {
            if (reader.End && !isLast)
                return false;
            reader.IsNext((byte)'\n', advancePast: true);
        }
        line = read.ToArray();
        buffer = buffer.Slice(reader.Position);
        return true;
    }

    /// <summary>The lines of the event that is being read.</summary>
    private sealed class Block
    {
        private string? _name, _id;
        private int? _retry;
        private MemoryStream? _data;
        private bool _isFirst = true;

        public long Bytes => _data?.Length ?? 0;

        /// <summary>The event that this line ends.</summary>
        public ServerEvent? Add(byte[] line)
        {
            ReadOnlySpan<byte> rest = line;
            if (_isFirst && rest.StartsWith("\uFEFF"u8))
                rest = rest[3..];
            _isFirst = false;
            if (rest.Length == 0)
                return Complete();
            var colon = rest.IndexOf((byte)':');
            var field = colon < 0 ? rest : rest[..colon];
            var value = colon < 0 ? [] : rest[(colon + 1)..];
            if (value.Length > 0 && value[0] == ' ')
                value = value[1..];
            if (field.SequenceEqual("data"u8))
            {
                if (_data is null)
                    _data = new(value.Length);
                else
                    _data.WriteByte((byte)' ');
                _data.Write(value);
            }
            else if (field.SequenceEqual("event"u8))
            {
                _name = Encoding.UTF8.GetString(value);
            }
            else if (field.SequenceEqual("id"u8) && value.Length <= Limits.UpstreamIdLength && !value.Contains((byte)0))
            {
                _id = Encoding.UTF8.GetString(value);
            }
            else if (field.SequenceEqual("retry"u8) && int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var retry))
            {
                _retry = retry;
            }
            return null;
        }

        private ServerEvent? Complete()
        {
            var complete = _data is null && _id is null && _retry is null ? null : new ServerEvent(_name ?? "message", _id, _retry, _data?.ToArray() ?? []);
            (_name, _id, _retry, _data) = (null, null, null, null);
            return complete;
        }
    }
}
