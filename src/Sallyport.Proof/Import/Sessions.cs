using System.Text;
using Sallyport.Proof.Report;

namespace Sallyport.Proof.Import;

/// <summary>
/// Sessions of HTTP+SSE, by the id that is in a message's query. One lives as long as its stream, in the process that opened it: where the log begins with the server's start, more sessions than streams
/// that were let in means that somebody's was not. Told only by lines that a server writes when it begins to answer, as uvicorn does: others write a stream's line at its end.
/// </summary>
internal sealed class Sessions(bool isContinued)
{
    private const int Most = 100_000;

    private readonly HashSet<string> _ids = new(StringComparer.Ordinal);
    private bool _beginsWithStart;
    private long _streams;

    public long Total => _ids.Count;

    /// <summary>Messages in sessions that no stream was let in for.</summary>
    public Count Unopened { get; } = new();

    /// <param name="isFirst">Whether no request is in the log before.</param>
    public void Started(bool isFirst) => _beginsWithStart |= isFirst && !isContinued;

    /// <summary>Of a request that was let in where MCP is spoken. True where its session is known from before.</summary>
    public bool LetIn(in AccessLine request, long line)
    {
        if (request.Session.IsEmpty)
        {
            _streams += request.Method.SequenceEqual("GET"u8) ? 1 : 0;
            return false;
        }
        if (_ids.Count >= Most || !_ids.Add(Encoding.UTF8.GetString(request.Session)))
            return true;
        if (_beginsWithStart && request.IsWrittenFirst && _ids.Count > _streams)
            Unopened.Add(line, request.Time);
        return false;
    }
}
