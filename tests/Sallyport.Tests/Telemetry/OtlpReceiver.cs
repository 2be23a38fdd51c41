using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Sallyport.Tests.Telemetry;

/// <summary>A collector that keeps what it is sent, over HTTP as protobuf.</summary>
internal sealed class OtlpReceiver : IAsyncDisposable
{
    private readonly WebApplication _application;
    private readonly List<(string Path, byte[] Body)> _received = [];

    private OtlpReceiver(WebApplication application) => _application = application;

    public string Url => _application.Urls.Single();

    public IReadOnlyList<byte[]> Traces => Received("/v1/traces");

    public IReadOnlyList<byte[]> Metrics => Received("/v1/metrics");

    /// <summary>All that was sent, as bytes are searched: a character each.</summary>
    public string Text => string.Concat(Traces.Concat(Metrics).Select(System.Text.Encoding.Latin1.GetString));

    public static async Task<OtlpReceiver> StartAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var receiver = new OtlpReceiver(builder.Build());
        receiver._application.Run(receiver.KeepAsync);
        await receiver._application.StartAsync(TestContext.Current.CancellationToken);
        return receiver;
    }

    /// <summary>What a gate is told that is to send here.</summary>
    public Dictionary<string, string> Variables => new() { ["OTEL_EXPORTER_OTLP_ENDPOINT"] = Url, ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf" };

    public void Tell(Dictionary<string, string?> variables)
    {
        foreach (var (name, value) in Variables)
            variables[name] = value;
    }

    public async ValueTask DisposeAsync()
    {
        await _application.StopAsync();
        await _application.DisposeAsync();
    }

    private IReadOnlyList<byte[]> Received(string path)
    {
        lock (_received)
            return [.. _received.Where(each => each.Path == path).Select(each => each.Body)];
    }

    private async Task KeepAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        lock (_received)
            _received.Add((context.Request.Path, body.ToArray()));
        context.Response.ContentType = "application/x-protobuf";
    }
}
