using Sallyport.Proof.Report;

namespace Sallyport.Proof.Import;

/// <summary>What became of the requests with one method at one path.</summary>
internal sealed class PathRecord(string method, string path, Place place)
{
    /// <summary>As people name it.</summary>
    public string Name { get; } = $"{method} {path}";
    public string Path { get; } = path;
    public Place Place { get; } = place;
    /// <summary>Answered with success.</summary>
    public Count Allowed { get; } = new();
    /// <summary>Of these, those that came before anybody had got a token in this log.</summary>
    public Count Early { get; } = new();
    /// <summary>Answered with 401: no token, or none that was good.</summary>
    public Count Blocked { get; } = new();
    /// <summary>Answered with 403: a token that did not suffice.</summary>
    public Count Forbidden { get; } = new();
    /// <summary>All that says neither.</summary>
    public long Others { get; private set; }

    /// <param name="isEarly">Whether nobody had got a token before.</param>
    public void Add(long line, in AccessLine request, bool isEarly)
    {
        switch (request.Status)
        {
            // A preflight carries no credentials, by the Fetch standard: it gives nothing away.
            case >= 200 and < 300 when !request.Method.SequenceEqual("OPTIONS"u8):
                Allowed.Add(line, request.Time);
                if (isEarly)
                    Early.Add(line, request.Time);
                break;
            case 401:
                Blocked.Add(line, request.Time);
                break;
            case 403:
                Forbidden.Add(line, request.Time);
                break;
            default:
                Others++;
                break;
        }
    }
}
