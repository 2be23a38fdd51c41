namespace Sallyport.EndToEnd.Support;

/// <summary>Notes the events that the gate named in its answers.</summary>
internal sealed class EventCollector(HttpMessageHandler inner, ICollection<string>? events) : DelegatingHandler(inner)
{
    private const string EventHeader = "Sallyport-Event";

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var response = await base.SendAsync(request, cancellationToken);
        if (events is not null && response.Headers.TryGetValues(EventHeader, out var ids))
        {
            lock (events)
                events.Add(ids.Single());
        }
        return response;
    }
}
