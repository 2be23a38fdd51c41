using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Identity;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Sallyport.Proof.Claims;
using Sallyport.Proof.Journal;
using Sallyport.Server;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;
using Sallyport.Server.Operation;

namespace Sallyport.Tests.Gate;

/// <summary>What a test may set about its gate.</summary>
internal sealed record TestGateOptions
{
    public Action<GateSettings> Settings { get; init; } = static _ => { };
    public JournalOptions? Journal { get; init; }
    public string? Data { get; init; }
    /// <summary>That of the gate before, where this one goes on.</summary>
    public TestClock Time { get; init; } = new();
    /// <summary>Listen on a loopback port instead of in memory.</summary>
    public bool OverSockets { get; init; }
    /// <summary>The test breaks the gate, whose log may contradict itself then.</summary>
    public bool IsBroken { get; init; }
    /// <summary>From which level on the gate's diagnostic log is kept.</summary>
    public LogLevel Logged { get; init; } = LogLevel.Information;
    public Action<IServiceCollection> Services { get; init; } = static _ => { };
    public Action<WebApplication> Application { get; init; } = static _ => { };
}

/// <summary>A whole gate, Kestrel included, at <c>http://localhost:5000</c> in memory, with a clock that the test moves.</summary>
internal sealed class TestGate : IAsyncDisposable
{
    public const string UserName = "alice";
    public const string AdminUrl = "http://localhost:5001";
    public const string Password = "correct horse battery";

    private readonly WebApplication _application;
    private readonly InMemoryListener _listener = new();
    private readonly bool _overSockets;
    private readonly bool _ownsData;
    private readonly bool _isBroken;
    private readonly List<HttpClient> _clients = [];
    private bool _stopped;
    private int _clientCount;

    private TestGate(TestGateOptions options)
    {
        (_overSockets, Time) = (options.OverSockets, options.Time);
        (_ownsData, _isBroken) = (options.Data is null, options.IsBroken);
        Data = options.Data ?? Directory.CreateTempSubdirectory("sallyport-test-").FullName;
        Url = _overSockets ? $"http://localhost:{FreePort()}" : "http://localhost:5000";
        var settings = new GateSettings { Urls = Url, Data = Data, HeartbeatSeconds = 0 };
        options.Settings(settings);
        Configuration = GateConfiguration.From(settings, out var faults)
            ?? throw new InvalidOperationException(string.Join('\n', faults));
        Url = Configuration.PublicUrl;
        _application = GateHost.Build(Configuration, logging => logging.SetMinimumLevel(options.Logged).AddProvider(Log), services =>
        {
            services.AddSingleton<TimeProvider>(Time);
            // What is tested here is not how long a guess takes.
            services.Configure<PasswordHasherOptions>(hasher => hasher.IterationCount = 1_000);
            if (options.Journal is { } journal)
                services.AddSingleton(journal);
            if (!_overSockets)
                services.AddSingleton<IConnectionListenerFactory>(_listener);
            options.Services(services);
        });
        options.Application(_application);
        Http = NewClient();
    }

    public TestClock Time { get; }
    public GateConfiguration Configuration { get; }
    public string Data { get; }
    public string Url { get; private set; }
    /// <summary>Without cookies, and without following redirects.</summary>
    public HttpClient Http { get; }
    public LogLines Log { get; } = new();
    public IServiceProvider Services => _application.Services;

    /// <summary>A database as the migrations make it, made once: most of a gate's first start is making it.</summary>
    private static readonly Lazy<Task<byte[]>> s_newDatabase = new(async () =>
    {
        await using var gate = new TestGate(new());
        await gate._application.StartAsync();
        await gate.StopAsync();
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        return await File.ReadAllBytesAsync(Path.Combine(gate.Data, "sallyport.db"));
    });

    public static async Task<TestGate> StartAsync(TestGateOptions? options = null, bool withUser = true)
    {
        var gate = new TestGate(options ?? new());
        if (gate._ownsData)
            await File.WriteAllBytesAsync(Path.Combine(gate.Data, "sallyport.db"), await s_newDatabase.Value, TestContext.Current.CancellationToken);
        try
        {
            await gate._application.StartAsync(TestContext.Current.CancellationToken);
        }
        catch
        {
            // Its hold on the data directory ends with it.
            await gate.DisposeAsync();
            throw;
        }
        if (withUser)
            await gate.AddUserAsync(UserName);
        return gate;
    }

    /// <summary>A gate in front of one upstream, and a token for it that lasts a day.</summary>
    public static async Task<(TestGate Gate, string Token)> WithTokenAsync(string upstream, bool overSockets = false)
    {
        var gate = await StartAsync(new() { OverSockets = overSockets, Settings = s => (s.Upstreams, s.AccessTokenSeconds) = ([upstream], 86_400) });
        return (gate, (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken);
    }

    /// <summary>Each client's own: the same metadata would be the same client.</summary>
    public string NextClientName() => Interlocked.Increment(ref _clientCount) is var count and > 1 ? $"Test client {count}" : "Test client";

    /// <summary>The subject of the new user.</summary>
    public async Task<string> AddUserAsync(string name, bool isOperator = false)
    {
        var (subject, fault) = await Services.GetRequiredService<UserActs>().AddAsync(name, Password, isOperator, TestContext.Current.CancellationToken);
        return subject ?? throw new InvalidOperationException(fault!.Value.Word());
    }

    public HttpClient NewClient(CookieContainer? cookies = null, string? from = null, string? userAgent = null)
    {
        var handler = new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false, UseCookies = cookies is not null };
        if (cookies is not null)
            handler.CookieContainer = cookies;
        if (!_overSockets)
            handler.ConnectCallback = (_, _) => new(_listener.Dial(from is null ? null : IPAddress.Parse(from)));
        var client = new HttpClient(handler) { BaseAddress = new(_overSockets ? Url : "http://localhost:5000") };
        if (userAgent is not null)
            client.DefaultRequestHeaders.UserAgent.ParseAdd(userAgent);
        _clients.Add(client);
        return client;
    }

    /// <summary>Of somebody who looks after a gate whose admin listener is <see cref="AdminUrl"/>.</summary>
    public HttpClient NewAdminClient()
    {
        var client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false, UseCookies = false, ConnectCallback = (_, _) => new(_listener.Dial(toAdmin: true)) }) { BaseAddress = new(AdminUrl) };
        _clients.Add(client);
        return client;
    }

    /// <summary>What <c>/metrics</c> says.</summary>
    public async Task<Scrape> ScrapeAsync()
    {
        using var response = await NewAdminClient().GetAsync("/metrics", TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return new(await response.TextAsync());
    }

    /// <summary>Sends bytes as they are and gives back all that the gate answers until it closes.</summary>
    public async Task<string> SendRawAsync(string request, bool toAdmin = false, string? from = null)
    {
        await using var connection = _listener.Dial(from is null ? null : IPAddress.Parse(from), toAdmin);
        await connection.WriteAsync(Encoding.Latin1.GetBytes(request), TestContext.Current.CancellationToken);
        await connection.FlushAsync(TestContext.Current.CancellationToken);
        using var reader = new StreamReader(connection, Encoding.UTF8);
        return await reader.ReadToEndAsync(TestContext.Current.CancellationToken);
    }

    /// <summary>All events so far, oldest first.</summary>
    public IReadOnlyList<AuditEvent> Events() =>
        [.. JournalFiles.ReadAll(Path.Combine(Data, "log")).Select(leaf => leaf.Event)];

    public IReadOnlyList<T> Events<T>() where T : AuditEvent => [.. Events().OfType<T>()];

    /// <summary>Waits for the first event of a kind, which the gate writes by itself.</summary>
    public async Task<T> EventAsync<T>(Func<T, bool>? condition = null) where T : AuditEvent
    {
        var log = Services.GetRequiredService<AuditLog>();
        for (var begun = TimeProvider.System.GetTimestamp(); ;)
        {
            if (Events<T>().FirstOrDefault(condition ?? (static _ => true)) is { } found)
                return found;
            if (TimeProvider.System.GetElapsedTime(begun) > TimeSpan.FromSeconds(30))
                throw new TimeoutException($"no {typeof(T).Name} has come");
            // A turn of the journal's loop, which is where it would come from.
            await log.SyncAsync();
        }
    }

    /// <summary>The event that an answer names.</summary>
    public AuditEvent EventOf(HttpResponseMessage response) =>
        response.Headers.TryGetValues("Sallyport-Event", out var ids)
            ? Events().Single(e => e.Id == ids.Single())
            : throw new InvalidOperationException($"An answer with {(int)response.StatusCode} names no event. The gate said: {string.Join('\n', Log.Lines)}");

    public T EventOf<T>(HttpResponseMessage response) where T : AuditEvent => Assert.IsType<T>(EventOf(response));

    public Task<HttpResponseMessage> PostFormAsync(string path, params (string Name, string Value)[] fields) =>
        Http.PostAsync(path, new FormUrlEncodedContent(fields.Select(f => KeyValuePair.Create(f.Name, f.Value))), TestContext.Current.CancellationToken);

    public HttpRequestMessage McpRequest(string? token, string message, string path = "/mcp", string? session = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(message, Encoding.UTF8, "application/json") };
        request.Headers.Accept.ParseAdd("application/json, text/event-stream");
        if (token is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        if (session is not null)
            request.Headers.Add("Mcp-Session-Id", session);
        return request;
    }

    public Task<HttpResponseMessage> PostMcpAsync(string? token, string message, string path = "/mcp", string? session = null) =>
        Http.SendAsync(McpRequest(token, message, path, session), HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);

    public Task<HttpResponseMessage> GetWithTokenAsync(string path, string token)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
    }

    /// <summary>Opens the stream of a session of Streamable HTTP.</summary>
    public Task<HttpResponseMessage> ListenAsync(string token, string session)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, "/mcp") { Headers = { { "Mcp-Session-Id", session } } };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
    }

    /// <summary>Ends in order, keeping the data.</summary>
    public async Task StopAsync()
    {
        _stopped = true;
        await _application.StopAsync(CancellationToken.None);
        await _application.DisposeAsync();
        if (!_isBroken)
            AssertItsLogContradictsNothing();
    }

    /// <summary>Whatever a test did to this gate: its own log says nothing of it that must not have been.</summary>
    private void AssertItsLogContradictsNothing()
    {
        var judge = new ClaimJudge();
        var reader = new JournalReader(new LogFiles(Path.Combine(Data, "log")));
        while (reader.Read() == JournalItem.Leaf)
            judge.Observe(reader.NextIndex - 1, reader.Leaf);
        var contradictions = judge.Conclude(new()).Claims.SelectMany(claim => claim.Findings).Where(finding => finding.Refutes).Select(finding => $"{finding.Claim} at event {finding.Index}: {finding.Text}").ToList();
        Assert.True(contradictions.Count == 0, string.Join('\n', contradictions));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var client in _clients)
            client.Dispose();
        if (!_stopped)
            await StopAsync();
        if (_ownsData)
            Directory.Delete(Data, recursive: true);
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}

/// <summary>A clock that stands still until a test moves it. As on a real machine, what is measured does not notice when it is set.</summary>
internal sealed class TestClock() : FakeTimeProvider(TimeProvider.System.GetUtcNow())
{
    private readonly List<TimeSpan> _timers = [];
    private TimeSpan _set;
    private TaskCompletionSource _made = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Waits until so many timers were made that are due after that time: whoever is to be woken waits then, and time may move.</summary>
    public async Task TimersAsync(TimeSpan due, int count)
    {
        while (true)
        {
            Task made;
            lock (_timers)
            {
                if (_timers.Count(timer => timer == due) >= count)
                    return;
                made = _made.Task;
            }
            await made.WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System, TestContext.Current.CancellationToken);
        }
    }

    /// <summary>How many timers were made so far.</summary>
    public int Timers
    {
        get
        {
            lock (_timers)
                return _timers.Count;
        }
    }

    /// <summary>Waits until a timer is made, behind the first so many, that is due in between, and says when.</summary>
    public async Task<TimeSpan> NextTimerAsync(int behind, TimeSpan least, TimeSpan most)
    {
        while (true)
        {
            Task made;
            lock (_timers)
            {
                if (_timers.Skip(behind).Where(due => due >= least && due <= most).ToList() is [var due, ..])
                    return due;
                made = _made.Task;
            }
            await made.WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System, TestContext.Current.CancellationToken);
        }
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = base.CreateTimer(callback, state, dueTime, period);
        lock (_timers)
        {
            _timers.Add(dueTime);
            _made.TrySetResult();
            _made = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }
        return timer;
    }

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + _set;

    public override long GetTimestamp() => base.GetUtcNow().Ticks;

    /// <summary>Sets the wall clock, as an operator or a time server does.</summary>
    public void Jump(TimeSpan by) => _set += by;
}

/// <summary>What the gate wrote to its diagnostic log.</summary>
internal sealed class LogLines : ILoggerProvider, ILogger
{
    private readonly List<string> _lines = [];

    public IReadOnlyList<string> Lines
    {
        get
        {
            lock (_lines)
                return [.. _lines];
        }
    }

    public ILogger CreateLogger(string categoryName) => this;
    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;
    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        lock (_lines)
            _lines.Add($"{logLevel} {formatter(state, exception)} {exception}");
    }

    public void Dispose()
    {
    }
}

internal static class Responses
{
    public static async Task<JsonElement> JsonAsync(this HttpResponseMessage response) =>
        JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken)).RootElement;

    public static async Task<string> ErrorAsync(this HttpResponseMessage response) => (await response.JsonAsync()).GetProperty("error").GetString()!;

    public static Task<string> TextAsync(this HttpResponseMessage response) => response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
}
