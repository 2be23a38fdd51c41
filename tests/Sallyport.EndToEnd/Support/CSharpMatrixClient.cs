using System.Web;
using ModelContextProtocol.Authentication;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;
using Sallyport.Demonstration;

namespace Sallyport.EndToEnd.Support;

/// <summary>The C# SDK's client, at one server of the matrix: the steps of tests/clients/matrix/run.mjs, by this SDK's names.</summary>
internal sealed class CSharpMatrixClient(string name, HttpTransportMode mode, string origin, string path, MatrixServer has, string userName, string password) : IAsyncDisposable
{
    private const string Stateless = "2026-07-28";

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(55);

    private readonly SocketsHttpHandler _handler = new() { AllowAutoRedirect = false, UseCookies = false };
    private readonly KeptTokens _tokens = new();
    private readonly List<MatrixStep> _steps = [];
    private readonly TaskCompletionSource _updated = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private DynamicClientRegistrationResponse? _registration;
    private McpClient? _client;
    private int _sampled;
    private int _elicited;

    public IReadOnlyList<MatrixStep> Steps => _steps;

    public async Task BeginAsync()
    {
        await StepAsync("sign-in", ConnectAsync);
        if (_client is null)
            return;
        _steps.Add(new(name, null, null, Revision: _client.NegotiatedProtocolVersion, Id: _registration?.ClientId));
        await StepAsync("list", async token => Assert.Contains(has.Call.Name, (await _client.ListToolsAsync(cancellationToken: token)).Select(tool => tool.Name)));
        await StepAsync("call", CallAsync);
        await WorkAsync();
        await StepAsync("read", has.Read is not { } uri ? null : async token => Assert.NotEmpty((await _client.ReadResourceAsync(uri, cancellationToken: token)).Contents));
        await StepAsync("subscribe", has.Subscribe is null ? null : SubscribeAsync);
        await StepAsync("prompt", has.Prompt is not { } prompt ? null : async token => Assert.NotEmpty((await _client.GetPromptAsync(prompt, cancellationToken: token)).Messages));
        await AskAsync("sample", has.Sample, () => _sampled);
        await AskAsync("elicit", has.Elicit, () => _elicited);
    }

    /// <summary>Connects anew, with the tokens that it has, and calls.</summary>
    public async Task AgainAsync(string step)
    {
        await DisconnectAsync();
        await StepAsync(step, async token =>
        {
            await ConnectAsync(token);
            await CallAsync(token);
        });
    }

    /// <summary>What it has is good for nothing any more, and its user cannot sign in.</summary>
    public async Task RefusedAsync()
    {
        await DisconnectAsync();
        await StepAsync("revoked", async token =>
        {
            await Assert.ThrowsAnyAsync<Exception>(async () =>
            {
                await ConnectAsync(token);
                await CallAsync(token);
            });
        });
    }

    public async ValueTask DisposeAsync()
    {
        await DisconnectAsync();
        _handler.Dispose();
    }

    /// <param name="result">What it is called when it went well.</param>
    private async Task StepAsync(string step, Func<CancellationToken, Task>? action, string result = "yes")
    {
        if (action is null)
        {
            _steps.Add(new(name, step, "server has none"));
            return;
        }
        using var limit = new CancellationTokenSource(s_patience, TimeProvider.System);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, TestContext.Current.CancellationToken);
        try
        {
            await action(either.Token);
            _steps.Add(new(name, step, result));
        }
        catch (Exception exception)
        {
            _steps.Add(new(name, step, "failed", exception.ToString()));
        }
    }

    private async Task ConnectAsync(CancellationToken cancellationToken)
    {
        using var browser = new ScriptedBrowser(_handler, origin, userName, password);
        var transport = new HttpClientTransport(new()
        {
            Endpoint = new(origin + path),
            TransportMode = mode,
            OAuth = new()
            {
                RedirectUri = new("http://localhost:8123/callback"),
                ClientId = _registration?.ClientId,
                ClientSecret = _registration?.ClientSecret,
                TokenCache = _tokens,
                DynamicClientRegistration = new()
                {
                    ClientName = name,
                    ResponseDelegate = (registration, _) =>
                    {
                        _registration = registration;
                        return Task.CompletedTask;
                    },
                },
                AuthorizationCallbackHandler = async (context, token) =>
                {
                    var answer = HttpUtility.ParseQueryString((await browser.AuthorizeAsync(context.AuthorizationUri, token)).Query);
                    return new AuthorizationResult { Code = answer["code"], State = answer["state"], Iss = answer["iss"] };
                },
            },
        });
        _client = await McpClient.CreateAsync(transport, new()
        {
            Handlers = new()
            {
#pragma warning disable MCP9005 // Sampling is on its way out of the protocol, and still in it.
                SamplingHandler = (_, _, _) =>
                {
                    _sampled++;
                    return ValueTask.FromResult(new CreateMessageResult { Model = "none", Role = Role.Assistant, Content = [new TextContentBlock { Text = "sampled" }] });
                },
#pragma warning restore MCP9005
                ElicitationHandler = (_, _) =>
                {
                    _elicited++;
                    return ValueTask.FromResult(new ElicitResult { Action = "decline" });
                },
                NotificationHandlers =
                [
                    new(NotificationMethods.ResourceUpdatedNotification, (_, _) =>
                    {
                        _updated.TrySetResult();
                        return ValueTask.CompletedTask;
                    }),
                ],
            },
        }, cancellationToken: cancellationToken);
    }

    private async Task DisconnectAsync()
    {
        if (_client is { } client)
            await client.DisposeAsync();
        _client = null;
    }

    private Task CallAsync(CancellationToken cancellationToken) => CallAsync(has.Call, cancellationToken);

    private async Task CallAsync(MatrixTool tool, CancellationToken cancellationToken) => Assert.Contains(tool.Answer!, await CallAsync(tool, null, cancellationToken));

    private async Task<string> CallAsync(MatrixTool tool, IProgress<ModelContextProtocol.ProgressNotificationValue>? progress, CancellationToken cancellationToken)
    {
        var result = await _client!.CallToolAsync(tool.Name, tool.Arguments?.ToDictionary(each => each.Key, each => (object?)each.Value), progress, cancellationToken: cancellationToken);
        var text = string.Join('\n', result.Content.OfType<TextContentBlock>().Select(block => block.Text));
        Assert.True(result.IsError is not true, text);
        return text;
    }

    /// <summary>A call that tells how far it is, and is then taken back: a server that can tell of that is asked.</summary>
    private async Task WorkAsync()
    {
        using var takenBack = new CancellationTokenSource();
        var progressed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<string>? working = null;
        await StepAsync("progress", has.Long is not { } tool ? null : async token =>
        {
            working = CallAsync(tool, new Told(() => progressed.TrySetResult()), takenBack.Token);
            await (await Task.WhenAny(progressed.Task, working)).WaitAsync(token);
            Assert.True(progressed.Task.IsCompleted);
        });
        var revision = _client!.NegotiatedProtocolVersion;
        var needed = has.Cancelled?.Revision is { } only && only != revision ? only : null;
        // Over Streamable HTTP of a revision with sessions this SDK says nothing, and lets go of its request: no server hears of that.
        var asked = needed is null && (mode == HttpTransportMode.Sse || revision == Stateless) ? has.Cancelled : null;
        await StepAsync("cancel", working is null && has.Long is null ? null : async token =>
        {
            await takenBack.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => working!.WaitAsync(TimeSpan.FromSeconds(2), TimeProvider.System, token));
            if (asked is not null)
                await CallAsync(asked, token);
        }, needed is not null ? $"needs {needed}" : asked is null ? "forwarded" : "yes");
    }

    private async Task SubscribeAsync(CancellationToken cancellationToken)
    {
        await _client!.SubscribeToResourceAsync(has.Subscribe!.Uri, cancellationToken: cancellationToken);
        if (has.Subscribe.Then is { } then)
            await _client.CallToolAsync(then, cancellationToken: cancellationToken);
        await _updated.Task.WaitAsync(cancellationToken);
    }

    private async Task AskAsync(string step, MatrixTool? tool, Func<int> asked)
    {
        if (tool?.Revision is { } revision && revision != _client!.NegotiatedProtocolVersion)
        {
            _steps.Add(new(name, step, $"needs {revision}"));
            return;
        }
        await StepAsync(step, tool is null ? null : async token =>
        {
            await CallAsync(tool, null, token);
            Assert.Equal(1, asked());
        });
    }

    /// <summary><see cref="Progress{T}"/> would tell it later.</summary>
    private sealed class Told(Action tell) : IProgress<ModelContextProtocol.ProgressNotificationValue>
    {
        public void Report(ModelContextProtocol.ProgressNotificationValue value) => tell();
    }

    private sealed class KeptTokens : ITokenCache
    {
        private TokenContainer? _tokens;

        public ValueTask StoreTokensAsync(TokenContainer tokens, CancellationToken cancellationToken)
        {
            _tokens = tokens;
            return ValueTask.CompletedTask;
        }

        public ValueTask<TokenContainer?> GetTokensAsync(CancellationToken cancellationToken) => ValueTask.FromResult(_tokens);
    }
}
