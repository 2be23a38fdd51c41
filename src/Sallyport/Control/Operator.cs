using System.CommandLine;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Sallyport.Server;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;
using Sallyport.Server.Storage;

namespace Sallyport.Control;

/// <summary>Does an operator's act: through the gate where one runs on this data directory, else by itself under the lock.</summary>
internal sealed class Operator(string dataDirectory, TimeProvider time)
{
    /// <summary>How long a gate that is just starting or stopping is waited for.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_retry = TimeSpan.FromMilliseconds(100);

    private readonly DataDirectory _directory = new(dataDirectory);

    /// <summary>That of a gate that there is.</summary>
    /// <exception cref="CommandFault">There is none.</exception>
    public static Operator Of(ParseResult parsed) => new(CommandLine.ExistingData(parsed).Root, TimeProvider.System);

    /// <summary>Whether nobody has kept anything there yet: a new gate, or a misspelt directory.</summary>
    public bool IsNew => !File.Exists(_directory.Database);

    /// <summary>In force when it returns.</summary>
    public async Task<TResponse> DoAsync<TRequest, TResponse>(ControlAct<TRequest, TResponse> act, TRequest request, CancellationToken cancellationToken) where TResponse : class
    {
        var startedAt = time.GetTimestamp();
        while (true)
        {
            if (await TryThroughGateAsync(act, request, cancellationToken) is { } response)
                return response;
            try
            {
                return await AloneAsync(act, request, cancellationToken);
            }
            catch (DataDirectoryInUseException) when (time.GetElapsedTime(startedAt) < s_patience)
            {
                await Task.Delay(s_retry, time, cancellationToken);
            }
        }
    }

    /// <summary>Reads what is stored, without the lock and whether or not a gate runs. Nothing is changed.</summary>
    public async Task<T> ReadAsync<T>(Func<IServiceProvider, Task<T>> read, CancellationToken cancellationToken)
    {
        await using var services = Services("");
        await using (var db = await services.GetRequiredService<IDbContextFactory<SallyportDb>>().CreateDbContextAsync(cancellationToken))
        {
            if ((await db.Database.GetPendingMigrationsAsync(cancellationToken)).Any())
                throw new CommandFault(ExitCode.Unavailable, "The database was written by an older version", "Start the gate with this version once: it takes the database over");
        }
        return await read(services);
    }

    private async Task<TResponse?> TryThroughGateAsync<TRequest, TResponse>(
        ControlAct<TRequest, TResponse> act, TRequest request, CancellationToken cancellationToken) where TResponse : class
    {
        if (!File.Exists(_directory.ControlSocket))
            return null;
        using var handler = new SocketsHttpHandler { ConnectCallback = ConnectAsync };
        // An act takes as long as it takes: erasing reads the whole log.
        using var client = new HttpClient(handler) { BaseAddress = new("http://gate"), Timeout = Timeout.InfiniteTimeSpan };
        try
        {
            using var response = await client.PostAsJsonAsync(act.Path, request, act.RequestType, cancellationToken);
            if (response.StatusCode == HttpStatusCode.ServiceUnavailable)
                throw new AuditUnavailableException("the running gate is closed");
            if (response.StatusCode == HttpStatusCode.NotFound)
                throw new CommandFault(ExitCode.Unavailable, $"The running gate does not know '{act.Command}': it is of another version", "Stop it and start it again with this version");
            response.EnsureSuccessStatusCode();
            return await response.Content.ReadFromJsonAsync(act.ResponseType, cancellationToken);
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

    private async Task<TResponse> AloneAsync<TRequest, TResponse>(ControlAct<TRequest, TResponse> act, TRequest request, CancellationToken cancellationToken)
    {
        await using var services = Services(act.Command);
        var state = services.GetServices<IHostedService>().OfType<GateState>().Single();
        await state.StartAsync(cancellationToken);
        try
        {
            return await act.DoAsync(services, request, cancellationToken);
        }
        finally
        {
            await state.StopAsync(CancellationToken.None);
        }
    }

    private ServiceProvider Services(string command) => new ServiceCollection()
        .AddLogging()
        .AddSallyportState(_directory, new Tenure(command, Product.Version, Configuration: null))
        .BuildServiceProvider();
}
