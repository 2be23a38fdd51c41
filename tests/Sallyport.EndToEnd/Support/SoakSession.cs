using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Sallyport.Server.Protocol;

namespace Sallyport.EndToEnd.Support;

/// <summary>
/// One session of the soak, over either transport. Whatever comes to it has to be its own: an answer to what it asked, once, with the nonce
/// that it asked with, whether it still waits for it or not; or a word of its server, with a nonce of its own.
/// </summary>
internal sealed class SoakSession : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private readonly HttpClient _client;
    private readonly string _origin;
    private readonly string _token;
    private readonly ConcurrentDictionary<int, Asked> _asked = new();
    private readonly ConcurrentDictionary<string, bool> _nonces = new();
    private readonly ConcurrentQueue<string> _foreign;
    private readonly CancellationTokenSource _left = new();
    private string? _messages;
    private string? _session;
    private int _id;

    private SoakSession(HttpClient client, string origin, string token, ConcurrentQueue<string> foreign) => (_client, _origin, _token, _foreign) = (client, origin, token, foreign);

    /// <summary>Null when the gate has no room for it.</summary>
    /// <param name="listens">Over Streamable HTTP: whether it holds a stream too, for what the server says of itself.</param>
    /// <param name="foreign">Gets what came to it and was not its own.</param>
    public static async Task<SoakSession?> OpenAsync(HttpClient client, string origin, string token, bool overSse, bool listens, ConcurrentQueue<string> foreign)
    {
        var session = new SoakSession(client, origin, token, foreign);
        if ((!overSse || await session.OpenStreamAsync())
            && await session.AskAsync("initialize", """{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"soak","version":"1"}}""", null, CancellationToken.None) is not null)
        {
            if (listens && !overSse)
                await session.ListenAsync();
            return session;
        }
        session.Dispose();
        return null;
    }

    /// <summary>Calls with a nonce of its own. False when the server broke off, or the session is over.</summary>
    public async Task<bool> CallAsync(string tool, CancellationToken cancellationToken = default)
    {
        var nonce = RandomId.New();
        _nonces[nonce] = true;
        return await AskAsync("tools/call", $$$"""{"name":"{{{tool}}}","arguments":{"nonce":"{{{nonce}}}"}}""", nonce, cancellationToken) is { } answer && answer.TryGetProperty("result", out _);
    }

    /// <summary>Ends it, as a client does that knows how.</summary>
    public async Task CloseAsync()
    {
        if (_session is null)
            return;
        using var request = Request(HttpMethod.Delete, "/mcp");
        using var response = await _client.SendAsync(request, CancellationToken.None);
        Assert.True(response.StatusCode is HttpStatusCode.OK or HttpStatusCode.NoContent or HttpStatusCode.NotFound, $"{(int)response.StatusCode}: {await response.Content.ReadAsStringAsync(CancellationToken.None)}");
    }

    /// <summary>Leaves, without a word. Its stream goes with whoever reads it: a connection that two read at once would be good for nothing more.</summary>
    public void Dispose() => _left.Cancel();

    private async Task<JsonElement?> AskAsync(string method, string parameters, string? nonce, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(s_patience, TimeProvider.System);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        var id = Interlocked.Increment(ref _id);
        var answer = new TaskCompletionSource<JsonElement>(TaskCreationOptions.RunContinuationsAsynchronously);
        _asked[id] = new(nonce, answer);
        try
        {
            using var request = Request(HttpMethod.Post, _messages ?? "/mcp");
            request.Content = new StringContent(string.Create(CultureInfo.InvariantCulture, $$$"""{"jsonrpc":"2.0","id":{{{id}}},"method":"{{{method}}}","params":{{{parameters}}}}"""), Encoding.UTF8, "application/json");
            using var response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token);
            if (response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable or HttpStatusCode.TooManyRequests)
                return null;
            Assert.True(response.IsSuccessStatusCode, $"{(int)response.StatusCode}: {await response.Content.ReadAsStringAsync(either.Token)}");
            if (response.Headers.TryGetValues("Mcp-Session-Id", out var sessions))
                _session = sessions.Single();
            if (_messages is null)
                await TakeAllAsync(response, either.Token);
            return await answer.Task.WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (!limit.IsCancellationRequested)
        {
            return null;
        }
    }

    private async Task<bool> OpenStreamAsync()
    {
        using var request = Request(HttpMethod.Get, "/sse");
        var stream = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        if (stream.StatusCode == HttpStatusCode.ServiceUnavailable)
        {
            stream.Dispose();
            return false;
        }
        Assert.Equal(HttpStatusCode.OK, stream.StatusCode);
        var endpoint = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        _ = ReadStreamAsync(stream, endpoint);
        _messages = await endpoint.Task.WaitAsync(s_patience, TimeProvider.System);
        return true;
    }

    /// <summary>Opens the stream of a session, if it is still there.</summary>
    private async Task ListenAsync()
    {
        using var request = Request(HttpMethod.Get, "/mcp");
        var stream = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        Assert.True(stream.StatusCode is HttpStatusCode.OK or HttpStatusCode.NotFound, $"{(int)stream.StatusCode}");
        if (stream.StatusCode == HttpStatusCode.OK)
            _ = ReadStreamAsync(stream, new());
        else
            stream.Dispose();
    }

    private async Task ReadStreamAsync(HttpResponseMessage stream, TaskCompletionSource<string> endpoint)
    {
        using var open = stream;
        try
        {
            await TakeAllAsync(stream, _left.Token, endpoint);
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException)
        {
            // It has left, or the session is over.
        }
        endpoint.TrySetException(new IOException("The stream ended at once"));
        if (_messages is null)
            return;
        foreach (var asked in _asked.Values)
            asked.Answer.TrySetCanceled();
    }

    /// <summary>Hands over what comes, as JSON or as a stream, to whoever waits for it.</summary>
    private async Task TakeAllAsync(HttpResponseMessage response, CancellationToken cancellationToken, TaskCompletionSource<string>? endpoint = null)
    {
        if (response.Content.Headers.ContentType?.MediaType == "application/json")
        {
            Take(await response.Content.ReadAsStringAsync(cancellationToken));
            return;
        }
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(cancellationToken));
        while (await reader.ReadLineAsync(cancellationToken) is { } line)
        {
            if (!line.StartsWith("data: ", StringComparison.Ordinal))
                continue;
            if (line.StartsWith("data: /", StringComparison.Ordinal))
                endpoint!.TrySetResult(line[6..]);
            else
                Take(line[6..]);
        }
    }

    private void Take(string text)
    {
        var message = JsonElement.Parse(text);
        if (message.TryGetProperty("method", out _))
        {
            if (!_nonces.ContainsKey(message.GetProperty("params").GetProperty("data").GetString()!))
                _foreign.Enqueue(text);
            return;
        }
        if (!message.TryGetProperty("id", out var id) || id.ValueKind != JsonValueKind.Number || !_asked.TryRemove(id.GetInt32(), out var asked))
        {
            _foreign.Enqueue(text);
            return;
        }
        if (asked.Nonce is not null && message.TryGetProperty("result", out var result) && result.GetProperty("content")[0].GetProperty("text").GetString() != asked.Nonce)
            _foreign.Enqueue(text);
        asked.Answer.TrySetResult(message);
    }

    private HttpRequestMessage Request(HttpMethod method, string path)
    {
        var request = new HttpRequestMessage(method, _origin + path);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", _token);
        request.Headers.Accept.ParseAdd(method == HttpMethod.Get ? "text/event-stream" : "application/json, text/event-stream");
        if (_session is not null && path == "/mcp")
            request.Headers.Add("Mcp-Session-Id", _session);
        return request;
    }

    /// <summary>What was asked and is not answered yet.</summary>
    private sealed record Asked(string? Nonce, TaskCompletionSource<JsonElement> Answer);
}
