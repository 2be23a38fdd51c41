using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Sallyport.Server;
using Sallyport.Server.Audit;
using Sallyport.Server.Audit.Values;
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

    public Task<AddUserResponse> AddUserAsync(AddUserRequest request, CancellationToken cancellationToken) =>
        ActAsync("user add", ControlServer.AddUserPath, request, ControlJson.Default.AddUserRequest, ControlJson.Default.AddUserResponse, async acts =>
        {
            var (subject, fault) = await acts.AddUserAsync(request.Name, request.Password, request.IsOperator, cancellationToken);
            return new(subject, fault);
        }, cancellationToken);

    public Task<EraseResponse> EraseAsync(EraseRequest request, CancellationToken cancellationToken) =>
        ActAsync("audit erase", ControlServer.ErasePath, request, ControlJson.Default.EraseRequest, ControlJson.Default.EraseResponse,
            acts => EraseAsync(acts, request, cancellationToken), cancellationToken);

    public Task<RotateKeyResponse> RotateKeyAsync(CancellationToken cancellationToken) =>
        ActAsync("audit rotate-key", ControlServer.RotateKeyPath, new(), ControlJson.Default.RotateKeyRequest, ControlJson.Default.RotateKeyResponse,
            async acts => new(await acts.RotateLogKeyAsync(cancellationToken)), cancellationToken);

    public Task<RotateTokenKeyResponse> RotateTokenKeyAsync(RotateTokenKeyRequest request, CancellationToken cancellationToken) =>
        ActAsync("key rotate", ControlServer.RotateTokenKeyPath, request, ControlJson.Default.RotateTokenKeyRequest, ControlJson.Default.RotateTokenKeyResponse,
            acts => RotateTokenKeyAsync(acts, request, cancellationToken), cancellationToken);

    public static async Task<RotateTokenKeyResponse> RotateTokenKeyAsync(OperatorActs acts, RotateTokenKeyRequest request, CancellationToken cancellationToken)
    {
        try
        {
            var key = await acts.RotateTokenKeyAsync(request.AtOnce, cancellationToken);
            return new(key.KeyId, key.SignsFrom, null);
        }
        catch (IOException exception)
        {
            return new(null, null, exception.Message);
        }
    }

    public static async Task<EraseResponse> EraseAsync(OperatorActs acts, EraseRequest request, CancellationToken cancellationToken)
    {
        try
        {
            return new(await acts.EraseValuesAsync(new(request.Subject, request.Address, request.UsedLastBefore), cancellationToken), null);
        }
        catch (ValuesUnavailableException exception)
        {
            return new(null, exception.Message);
        }
    }

    private async Task<TResponse> ActAsync<TRequest, TResponse>(
        string command, string path, TRequest request, JsonTypeInfo<TRequest> requestType, JsonTypeInfo<TResponse> responseType,
        Func<OperatorActs, Task<TResponse>> act, CancellationToken cancellationToken) where TResponse : class
    {
        var startedAt = time.GetTimestamp();
        while (true)
        {
            if (await TryThroughGateAsync(path, request, requestType, responseType, cancellationToken) is { } response)
                return response;
            try
            {
                return await AloneAsync(command, act, cancellationToken);
            }
            catch (DataDirectoryInUseException) when (time.GetElapsedTime(startedAt) < s_patience)
            {
                await Task.Delay(s_retry, time, cancellationToken);
            }
        }
    }

    private async Task<TResponse?> TryThroughGateAsync<TRequest, TResponse>(
        string path, TRequest request, JsonTypeInfo<TRequest> requestType, JsonTypeInfo<TResponse> responseType, CancellationToken cancellationToken) where TResponse : class
    {
        if (!File.Exists(_directory.ControlSocket))
            return null;
        using var handler = new SocketsHttpHandler { ConnectCallback = ConnectAsync };
        // An act takes as long as it takes: erasing reads the whole log.
        using var client = new HttpClient(handler) { BaseAddress = new("http://gate"), Timeout = Timeout.InfiniteTimeSpan };
        try
        {
            using var response = await client.PostAsJsonAsync(path, request, requestType, cancellationToken);
            if (response.StatusCode == HttpStatusCode.ServiceUnavailable)
                throw new AuditUnavailableException("the running gate is closed");
            response.EnsureSuccessStatusCode();
            return await response.Content.ReadFromJsonAsync(responseType, cancellationToken);
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

    private async Task<TResponse> AloneAsync<TResponse>(string command, Func<OperatorActs, Task<TResponse>> act, CancellationToken cancellationToken)
    {
        await using var services = new ServiceCollection()
            .AddLogging()
            .AddSallyportState(_directory, new Tenure(command, Product.Version, Configuration: null))
            .BuildServiceProvider();
        var state = services.GetServices<IHostedService>().OfType<GateState>().Single();
        await state.StartAsync(cancellationToken);
        try
        {
            return await act(services.GetRequiredService<OperatorActs>());
        }
        finally
        {
            await state.StopAsync(CancellationToken.None);
        }
    }
}
