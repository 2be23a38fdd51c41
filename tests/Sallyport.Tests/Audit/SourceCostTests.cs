using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using Sallyport.Server.Audit.Values;
using Sallyport.Server.Configuration;
using Sallyport.Server.Pipeline;

namespace Sallyport.Tests.Audit;

public sealed class SourceCostTests : IDisposable
{
    private readonly TestData _data = new();

    public void Dispose() => _data.Dispose();

    [Fact]
    public void Further_requests_of_a_connection_take_no_memory_to_name_their_source()
    {
        var directory = new DataDirectory(_data.Root);
        directory.Create();
        using var values = new ErasableValues(directory, new(), TimeProvider.System, NullLogger<ErasableValues>.Instance);
        var attribution = new Attribution(GateConfiguration.From(new() { Data = _data.Root }, out _)!, values);
        var context = new DefaultHttpContext();
        context.Features.Set<IConnectionItemsFeature>(new Items());
        context.Connection.RemoteIpAddress = InMemoryListener.Peer;
        var first = attribution.Source(context);
        Assert.NotNull(first);

        const int Requests = 1_000;
        var same = 0;
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < Requests; i++)
            same += ReferenceEquals(first, attribution.Source(context)) ? 1 : 0;
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.Equal(Requests, same);
        Assert.Equal(0, allocated);
    }

    private sealed class Items : IConnectionItemsFeature
    {
        IDictionary<object, object?> IConnectionItemsFeature.Items { get; set; } = new Dictionary<object, object?>();
    }
}
