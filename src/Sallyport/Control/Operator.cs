using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Sallyport.Server;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;
using Sallyport.Server.Operation;
using Sallyport.Server.Storage;

namespace Sallyport.Control;

/// <summary>Does an operator's act: through the gate where one runs on this data directory, else by itself under the lock.</summary>
internal sealed class Operator(string dataDirectory, TimeProvider time)
{
    /// <summary>How long a gate that is just starting or stopping is waited for.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_retry = TimeSpan.FromMilliseconds(100);

    private readonly DataDirectory _directory = new(dataDirectory);

    /// <summary>Whether nobody has kept anything there yet: a new gate, or a misspelt directory.</summary>
    public bool IsNew => !File.Exists(_directory.Database);

    public async Task<AddUserResponse> AddUserAsync(AddUserRequest request, CancellationToken cancellationToken)
    {
        var startedAt = time.GetTimestamp();
        while (true)
        {
            if (await TryThroughGateAsync(request, cancellationToken) is { } response)
                return response;
            try
            {
                return await AloneAsync(request, cancellationToken);
            }
            catch (DataDirectoryInUseException) when (time.GetElapsedTime(startedAt) < s_patience)
            {
                await Task.Delay(s_retry, time, cancellationToken);
            }
        }
    }

    private async Task<AddUserResponse?> TryThroughGateAsync(AddUserRequest request, CancellationToken cancellationToken)
    {
        if (!File.Exists(_directory.ControlSocket))
            return null;
        using var handler = new SocketsHttpHandler { ConnectCallback = ConnectAsync };
        using var client = new HttpClient(handler) { BaseAddress = new("http://gate") };
        try
        {
            using var response = await client.PostAsJsonAsync(ControlServer.AddUserPath, request, ControlJson.Default.AddUserRequest, cancellationToken);
            if (response.StatusCode == HttpStatusCode.ServiceUnavailable)
                throw new AuditUnavailableException("the running gate is closed");
            response.EnsureSuccessStatusCode();
            return await response.Content.ReadFromJsonAsync(ControlJson.Default.AddUserResponse, cancellationToken);
        }
        catch (HttpRequestException exception) when (exception.InnerException is SocketException)
        {
            return null;
        }
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(_directory.ControlSocket), cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private async Task<AddUserResponse> AloneAsync(AddUserRequest request, CancellationToken cancellationToken)
    {
        await using var services = new ServiceCollection()
            .AddLogging()
            .AddSallyportState(_directory, new Tenure("user add", Product.Version, Configuration: null))
            .BuildServiceProvider();
        var state = services.GetServices<IHostedService>().OfType<GateState>().Single();
        await state.StartAsync(cancellationToken);
        try
        {
            var (subject, fault) = await services.GetRequiredService<OperatorActs>()
                .AddUserAsync(request.Name, request.Password, request.IsOperator, cancellationToken);
            return new(subject, fault);
        }
        finally
        {
            await state.StopAsync(CancellationToken.None);
        }
    }
}
