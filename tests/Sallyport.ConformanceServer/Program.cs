using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;
using Sallyport.ConformanceServer;

// A server with the names that the conformance suite asks for, made with the C# SDK; and what the client matrix needs besides.
// --urls says where; with --stateless it is one of 2026-07-28, else one with sessions.
var stateless = args.Contains("--stateless");
var builder = WebApplication.CreateSlimBuilder([.. args.Where(argument => argument != "--stateless")]);
builder.Logging.ClearProviders();
builder.Services.AddDistributedMemoryCache();
builder.Services.AddHttpContextAccessor();
builder.Services.AddHostFiltering(options => options.AllowedHosts = ["localhost", "127.0.0.1"]);
var server = builder.Services
    .AddMcpServer(options => options.ServerInfo = new() { Name = "sallyport-conformance", Version = "1.0.0" })
    .WithHttpTransport(options => options.Stateless = stateless)
    .WithDistributedCacheEventStreamStore()
    .WithTools<ContentTools>()
    .WithTools<AskingTools>()
    .WithTools<InputTools>()
    .WithTools([ContentTools.JsonSchema()])
    .WithPrompts<Prompts>()
    .WithResources<Resources>()
    .WithCompleteHandler((_, _) => ValueTask.FromResult(new CompleteResult { Completion = new() { Values = [], Total = 0 } }))
    .WithSetLoggingLevelHandler((_, _) => ValueTask.FromResult(new EmptyResult()))
    .WithRequestFilters(filters => filters
        .AddCallToolFilter(next => async (request, cancellationToken) =>
        {
            var result = await next(request, cancellationToken);
            if (request.Params.Name == "test_reconnection")
                await EndStreamAsync(request, cancellationToken);
            return result;
        })
        .AddListToolsFilter(next => async (request, cancellationToken) =>
        {
            var result = await next(request, cancellationToken);
            foreach (var tool in result.Tools)
                tool.Description = tool.Name;
            return Cacheable(result);
        })
        .AddListPromptsFilter(next => async (request, cancellationToken) =>
        {
            var result = await next(request, cancellationToken);
            foreach (var prompt in result.Prompts)
                prompt.Description = prompt.Name;
            return Cacheable(result);
        })
        .AddListResourcesFilter(next => async (request, cancellationToken) => Cacheable(await next(request, cancellationToken)))
        .AddListResourceTemplatesFilter(next => async (request, cancellationToken) => Cacheable(await next(request, cancellationToken)))
        .AddReadResourceFilter(next => async (request, cancellationToken) => Cacheable(await next(request, cancellationToken))));
if (!stateless)
{
    // Whoever subscribes is told of a change at once.
    server.WithSubscribeToResourcesHandler(async (request, cancellationToken) =>
        {
            await request.Server.SendNotificationAsync(
                NotificationMethods.ResourceUpdatedNotification,
                new ResourceUpdatedNotificationParams { Uri = request.Params.Uri! },
                cancellationToken: cancellationToken);
            return new EmptyResult();
        })
        .WithUnsubscribeFromResourcesHandler((_, _) => ValueTask.FromResult(new EmptyResult()));
}

await using var app = builder.Build();
app.UseHostFiltering();
app.MapMcp("/mcp");
app.Lifetime.ApplicationStarted.Register(() => Console.Error.WriteLine($"listening on port {new Uri(app.Urls.First()).Port}"));
await app.RunAsync();

// Its stream ends before its answer, which the client comes back for.
static async Task EndStreamAsync(RequestContext<CallToolRequestParams> request, CancellationToken cancellationToken)
{
    var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    request.Services!.GetRequiredService<IHttpContextAccessor>().HttpContext!.Response.OnCompleted(() =>
    {
        ended.SetResult();
        return Task.CompletedTask;
    });
    await request.EnablePollingAsync(TimeSpan.FromMilliseconds(500), cancellationToken);
    await ended.Task.WaitAsync(cancellationToken);
}

static T Cacheable<T>(T result) where T : ICacheableResult
{
    (result.TimeToLive, result.CacheScope) = (TimeSpan.FromMinutes(5), CacheScope.Public);
    return result;
}
