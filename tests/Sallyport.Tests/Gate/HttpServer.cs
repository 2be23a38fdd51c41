using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace Sallyport.Tests.Gate;

/// <summary>An HTTP upstream that does what the test says.</summary>
internal sealed class HttpServer(WebApplication application) : IAsyncDisposable
{
    public string Url { get; private init; } = "";

    public static Task<HttpServer> StartAsync(RequestDelegate handle) => StartAsync(handle, TestGate.FreePort());

    public static async Task<HttpServer> StartAsync(RequestDelegate handle, int port)
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port));
        var application = builder.Build();
        application.Run(handle);
        await application.StartAsync(TestContext.Current.CancellationToken);
        return new(application) { Url = $"http://127.0.0.1:{port}/mcp" };
    }

    public async ValueTask DisposeAsync()
    {
        await application.StopAsync();
        await application.DisposeAsync();
    }
}

internal static class HttpServerContext
{
    /// <summary>Done when the gate let go of the request.</summary>
    public static async Task LeftAsync(this HttpContext context)
    {
        var left = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = context.RequestAborted.Register(left.SetResult);
        await left.Task;
    }
}
