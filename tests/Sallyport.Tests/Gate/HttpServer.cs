using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Sallyport.Tests.Gate;

/// <summary>An HTTP upstream that does what the test says.</summary>
internal sealed class HttpServer(WebApplication application) : IAsyncDisposable
{
    public string Url { get; private init; } = "";

    /// <param name="port">A free one, if it is to be at a certain one.</param>
    public static async Task<HttpServer> StartAsync(RequestDelegate handle, int port = 0)
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port));
        // Streams that are open when a test ends are cut.
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.Zero);
        var application = builder.Build();
        application.Run(handle);
        await application.StartAsync(TestContext.Current.CancellationToken);
        return new(application) { Url = application.Urls.Single() + "/mcp" };
    }

    /// <summary>One that answers everything alike.</summary>
    public static Task<HttpServer> AnsweringAsync(int status, string? type, string body) => StartAsync(context =>
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = type;
        return context.Response.WriteAsync(body);
    });

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
