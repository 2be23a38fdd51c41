using Sallyport.Proof.Report;

namespace Sallyport.Proof.Import;

/// <summary>What became of the requests with one method at one path.</summary>
internal sealed class PathRecord(string method, string path, Place place)
{
    /// <summary>As people name it.</summary>
    public string Name { get; } = $"{method} {path}";
    public string Method => method;
    public string Path => path;
    public Place Place => place;
    /// <summary>Answered with success.</summary>
    public Count Allowed { get; } = new();
    /// <summary>Of these, those that came before anybody had got a token in this log.</summary>
    public Count Early { get; } = new();
    /// <summary>Of these, those that carried no credentials, by lines that would show them.</summary>
    public Count Bare { get; } = new();
    /// <summary>Requests that carried credentials, by their lines, whatever became of them.</summary>
    public Count Presented { get; } = new();
    /// <summary>Answered with 401: no token, or none that was good.</summary>
    public Count Blocked { get; } = new();
    /// <summary>Answered with 403: a token that did not suffice.</summary>
    public Count Forbidden { get; } = new();

    /// <param name="isEarly">Whether nobody had got a token before.</param>
    public void Add(long line, in AccessLine request, bool isEarly)
    {
        if (request.Credentials == Credentials.Shown)
            Presented.Add(line, request.Time);
        if (request.IsLetIn)
        {
            if (request.Credentials == Credentials.Missing)
                Bare.Add(line, request.Time);
            Allowed.Add(line, request.Time);
            if (isEarly)
                Early.Add(line, request.Time);
        }
        else if (request.Status == 401)
        {
            Blocked.Add(line, request.Time);
        }
        else if (request.Status == 403)
        {
            Forbidden.Add(line, request.Time);
        }
    }
}
