using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;

namespace Sallyport.Control;

/// <summary>
/// The gate's back door for its own operator: a socket in the data directory, which only the account that runs the gate can
/// open. Commands hand their acts to it, so that there is one writer, and are answered when the act is in force.
/// </summary>
internal sealed class ControlServer(DataDirectory directory, IServiceProvider services) : IHostedService
{
    private WebApplication? _application;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        // Left by a gate that was killed; the data directory's lock says that it is gone.
        File.Delete(directory.ControlSocket);
        var builder = WebApplication.CreateEmptyBuilder(new() { ApplicationName = "sallyport" });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.ListenUnixSocket(directory.ControlSocket));
        _application = builder.Build();
        _application.Run(HandleAsync);
        await _application.StartAsync(cancellationToken);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(directory.ControlSocket, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_application is null)
            return;
        await _application.StopAsync(cancellationToken);
        await _application.DisposeAsync();
    }

    private async Task HandleAsync(HttpContext context)
    {
        if (context.Request.Method != HttpMethods.Post || ControlActs.All.FirstOrDefault(act => act.Path == context.Request.Path.Value) is not { } act)
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }
        try
        {
            await act.HandleAsync(context, services);
        }
        catch (AuditUnavailableException)
        {
            context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
        }
    }
}
