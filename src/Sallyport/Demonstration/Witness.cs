using System.Net;

namespace Sallyport.Demonstration;

/// <summary>An answer that the gate must not give.</summary>
internal sealed class UnexpectedAnswerException(string message) : Exception(message);

/// <summary>One exchange that is to be seen, and what it means.</summary>
/// <param name="Recorded">Whether the session that the story began with has this step too.</param>
internal sealed record Expectation(HttpMethod Method, string Path, HttpStatusCode Status, string Meaning, bool Recorded = false);

/// <summary>
/// Sees every exchange with the gate and holds it against what is expected next; the first that differs ends the demonstration.
/// </summary>
internal sealed class Witness(Func<HttpResponseMessage, string> eventNumber, Action<Expectation, string> show) : DelegatingHandler(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, UseProxy = false })
{
    private readonly Queue<Expectation> _expected = new();
    private readonly Lock _gate = new();

    public void Expect(params ReadOnlySpan<Expectation> expectations)
    {
        lock (_gate)
        {
            foreach (var expectation in expectations)
                _expected.Enqueue(expectation);
        }
    }

    /// <exception cref="UnexpectedAnswerException">Something that was expected has not been seen.</exception>
    public void EnsureAllSeen()
    {
        lock (_gate)
        {
            if (_expected.TryPeek(out var missing))
                throw new UnexpectedAnswerException($"{missing.Method} {missing.Path} ({missing.Meaning}) was expected and did not happen");
        }
    }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var response = await base.SendAsync(request, cancellationToken);
        lock (_gate)
        {
            var path = request.RequestUri!.AbsolutePath;
            if (!_expected.TryDequeue(out var expected) || expected.Method != request.Method || expected.Path != path || expected.Status != response.StatusCode)
            {
                throw new UnexpectedAnswerException(
                    $"{request.Method} {path} was answered {(int)response.StatusCode}; expected was {(expected is null ? "nothing" : $"{expected.Method} {expected.Path} with {(int)expected.Status}")}");
            }
            show(expected, eventNumber(response));
        }
        return response;
    }
}
