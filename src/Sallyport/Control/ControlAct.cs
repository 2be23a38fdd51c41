using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;

namespace Sallyport.Control;

/// <summary>What a command changes: by the gate where one runs, else by the command itself.</summary>
/// <param name="command">Which of them does it; the start event names it where no gate runs.</param>
internal abstract class ControlAct(string command)
{
    public string Command => command;

    /// <summary>Where a running gate takes it.</summary>
    public string Path { get; } = "/" + command.Replace(' ', '/');

    /// <summary>Does it in the gate, and answers.</summary>
    public abstract Task HandleAsync(HttpContext context, IServiceProvider services);
}

internal sealed class ControlAct<TRequest, TResponse>(
    string command, JsonTypeInfo<TRequest> requestType, JsonTypeInfo<TResponse> responseType,
    Func<IServiceProvider, TRequest, CancellationToken, Task<TResponse>> act) : ControlAct(command)
{
    public JsonTypeInfo<TRequest> RequestType => requestType;
    public JsonTypeInfo<TResponse> ResponseType => responseType;

    public Task<TResponse> DoAsync(IServiceProvider services, TRequest request, CancellationToken cancellationToken) => act(services, request, cancellationToken);

    public override async Task HandleAsync(HttpContext context, IServiceProvider services)
    {
        var request = (await context.Request.ReadFromJsonAsync(requestType, context.RequestAborted))!;
        // What was handed over is done, whether or not the command waits for it.
        await context.Response.WriteAsJsonAsync(await act(services, request, CancellationToken.None), responseType);
    }
}
