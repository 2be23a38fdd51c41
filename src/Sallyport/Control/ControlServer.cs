using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;
using Sallyport.Server.Operation;

namespace Sallyport.Control;

/// <summary>
/// The gate's back door for its own operator: a socket in the data directory, which only the account that runs the gate can
/// open. Commands hand their acts to it, so that there is one writer, and are answered when the act is in force.
/// </summary>
internal sealed class ControlServer(DataDirectory directory, OperatorActs acts) : IHostedService
{
    public const string AddUserPath = "/users";
    public const string ErasePath = "/erasures";
    public const string RotateKeyPath = "/log-keys";
    public const string RotateTokenKeyPath = "/token-keys";

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
        var act = context.Request.Method != HttpMethods.Post ? null : context.Request.Path.Value switch
        {
            AddUserPath => AddUserAsync(context),
            ErasePath => EraseAsync(context),
            RotateKeyPath => RotateKeyAsync(context),
            RotateTokenKeyPath => RotateTokenKeyAsync(context),
            _ => null,
        };
        if (act is null)
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }
        try
        {
            await act;
        }
        catch (AuditUnavailableException)
        {
            context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
        }
    }

    // An act that was handed over is done, whether or not the command waits for it.

    private async Task AddUserAsync(HttpContext context)
    {
        var request = (await context.Request.ReadFromJsonAsync(ControlJson.Default.AddUserRequest, context.RequestAborted))!;
        var (subject, fault) = await acts.AddUserAsync(request.Name, request.Password, request.IsOperator, CancellationToken.None);
        await context.Response.WriteAsJsonAsync(new(subject, fault), ControlJson.Default.AddUserResponse);
    }

    private async Task RotateKeyAsync(HttpContext context) =>
        await context.Response.WriteAsJsonAsync(new(await acts.RotateLogKeyAsync(CancellationToken.None)), ControlJson.Default.RotateKeyResponse);

    private async Task RotateTokenKeyAsync(HttpContext context)
    {
        var request = (await context.Request.ReadFromJsonAsync(ControlJson.Default.RotateTokenKeyRequest, context.RequestAborted))!;
        await context.Response.WriteAsJsonAsync(await Operator.RotateTokenKeyAsync(acts, request, CancellationToken.None), ControlJson.Default.RotateTokenKeyResponse);
    }

    private async Task EraseAsync(HttpContext context)
    {
        var request = (await context.Request.ReadFromJsonAsync(ControlJson.Default.EraseRequest, context.RequestAborted))!;
        await context.Response.WriteAsJsonAsync(await Operator.EraseAsync(acts, request, CancellationToken.None), ControlJson.Default.EraseResponse);
    }
}
