using System.Text;
using Microsoft.AspNetCore.Http;

namespace Sallyport.Tests.Telemetry;

/// <summary>What a collector is sent. Alone, as what one listens to is recorded for all of a process.</summary>
[CollectionDefinition(nameof(TraceExportTests), DisableParallelization = true)]
[Collection(nameof(TraceExportTests))]
public class TraceExportTests
{
    private const string HeaderTrace = "0123456789abcdef0123456789abcdef";
    private const string MessageTrace = "fedcba9876543210fedcba9876543210";
    private const string Call = $$$"""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"message":"hello"},"_meta":{"traceparent":"00-{{{MessageTrace}}}-0123456789abcdef-01","tracestate":"a=b"} } }""";

    private static async Task<(IReadOnlyList<OtlpSpan> Spans, OtlpReceiver Receiver, T Result)> TraceAsync<T>(
        Func<TestGate, Task<T>> use, Dictionary<string, string?>? variables = null, string? upstream = null)
    {
        var receiver = await OtlpReceiver.StartAsync();
        var gate = await TestGate.StartAsync(new()
        {
            Settings = settings =>
            {
                receiver.Tell(settings.OpenTelemetry);
                foreach (var (name, value) in variables ?? [])
                    settings.OpenTelemetry[name] = value;
                settings.Upstreams = upstream is null ? [] : [upstream];
            },
        });
        var result = await use(gate);
        await gate.StopAsync();
        await gate.DisposeAsync();
        return (OtlpSpans.Of(receiver.Traces), receiver, result);
    }

    private static async Task<(string Token, string Session)> OpenAsync(TestGate gate)
    {
        var token = (await (await TestClient.RegisterAsync(gate)).TokensAsync()).AccessToken;
        using var initialized = await gate.PostMcpAsync(token, Messages.Initialize);
        return (token, initialized.Headers.TryGetValues("Mcp-Session-Id", out var session) ? session.Single() : "");
    }

    /// <summary>The event's id of a call that says which traces it is in.</summary>
    private static async Task<string> CallAsync(TestGate gate)
    {
        var (token, session) = await OpenAsync(gate);
        var request = gate.McpRequest(token, Call, session: session.Length > 0 ? session : null);
        request.Headers.Add("traceparent", $"00-{HeaderTrace}-0123456789abcdef-01");
        using var response = await gate.Http.SendAsync(request, TestContext.Current.CancellationToken);
        await response.TextAsync();
        return response.Headers.GetValues("Sallyport-Event").Single();
    }

    [Fact]
    public async Task A_message_has_a_span_within_its_requests_and_both_are_linked_to_the_traces_that_the_caller_names()
    {
        var (spans, receiver, id) = await TraceAsync(CallAsync);
        await using var _ = receiver;

        var request = Assert.Single(spans, span => span["sallyport.event"] == id);
        Assert.Equal(("POST /mcp", OtlpSpan.Server, true), (request.Name, request.Kind, request.IsRoot));
        Assert.Equal(("POST", "/mcp", "200"), (request["http.request.method"], request["http.route"], request["http.response.status_code"]));
        Assert.Equal((HeaderTrace, "0123456789abcdef"), Assert.Single(request.Links));
        Assert.NotEqual(HeaderTrace, request.TraceId);
        var message = Assert.Single(spans, span => span.ParentId == request.SpanId);
        Assert.Equal(("tools/call", OtlpSpan.Server, request.TraceId), (message.Name, message.Kind, message.TraceId));
        Assert.Equal(("tools/call", "echo", "execute_tool", "/"), (message["mcp.method.name"], message["gen_ai.tool.name"], message["gen_ai.operation.name"], message["upstream"]));
        Assert.Equal((MessageTrace, "0123456789abcdef"), Assert.Single(message.Links));
        var call = Assert.Single(spans, span => span.ParentId == message.SpanId);
        Assert.Equal(("tools/call", OtlpSpan.Client, "pipe"), (call.Name, call.Kind, call["network.transport"]));
    }

    [Fact]
    public async Task A_call_to_an_HTTP_upstream_has_a_span_which_the_upstream_is_told_and_the_message_stays_as_it_is()
    {
        var told = new List<(string? Trace, string Body)>();
        await using var upstream = await HttpServer.StartAsync(async context =>
        {
            using var reader = new StreamReader(context.Request.Body);
            var body = await reader.ReadToEndAsync();
            lock (told)
                told.Add((context.Request.Headers["traceparent"], body));
            context.Response.ContentType = "application/json";
            await context.Response.WriteAsync(body.Contains("initialize", StringComparison.Ordinal)
                ? """{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"a","version":"1"}}}"""
                : """{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no"}}""");
        });

        var (spans, receiver, id) = await TraceAsync(CallAsync, upstream: upstream.Url);
        await using var _ = receiver;

        var request = Assert.Single(spans, span => span["sallyport.event"] == id);
        var message = Assert.Single(spans, span => span.ParentId == request.SpanId);
        Assert.Equal("-32602", message["error.type"]);
        var call = Assert.Single(spans, span => span.ParentId == message.SpanId);
        Assert.Equal(("POST", OtlpSpan.Client, "127.0.0.1", "200"), (call.Name, call.Kind, call["server.address"], call["http.response.status_code"]));
        var (trace, sent) = Assert.Single(told, each => each.Body.Contains("tools/call", StringComparison.Ordinal));
        Assert.Equal($"00-{call.TraceId}-{call.SpanId}-01", trace);
        Assert.Equal(Call, sent);
    }

    [Theory]
    [InlineData("parentbased_always_off", null)]
    [InlineData("parentbased_traceidratio", "0")]
    [InlineData("traceidratio", "0")]
    public async Task A_caller_cannot_have_itself_sampled(string sampler, string? argument)
    {
        var (spans, receiver, id) = await TraceAsync(CallAsync, new() { ["OTEL_TRACES_SAMPLER"] = sampler, ["OTEL_TRACES_SAMPLER_ARG"] = argument });
        await using var _ = receiver;

        Assert.DoesNotContain(spans, span => span["sallyport.event"] == id);
        Assert.Empty(spans);
    }

    [Fact]
    public async Task A_refusal_has_its_reason_and_no_message()
    {
        var (spans, receiver, id) = await TraceAsync(async gate =>
        {
            using var response = await gate.PostMcpAsync("sp_at_nonsense", Messages.Initialize);
            return response.Headers.GetValues("Sallyport-Event").Single();
        });
        await using var _ = receiver;

        var request = Assert.Single(spans, span => span["sallyport.event"] == id);
        Assert.Equal(("POST /mcp", "401", "token.malformed"), (request.Name, request["http.response.status_code"], request["sallyport.reason"]));
        Assert.DoesNotContain(spans, span => span.ParentId == request.SpanId);
    }

    [Fact]
    public async Task What_a_caller_chooses_is_in_no_name_of_a_span()
    {
        var (spans, receiver, _) = await TraceAsync(async gate =>
        {
            var (token, session) = await OpenAsync(gate);
            using var method = await gate.PostMcpAsync(token, """{"jsonrpc":"2.0","id":1,"method":"chosen/method"}""", session: session);
            using var tool = await gate.PostMcpAsync(token, Messages.Call(2, "chosen-tool"), session: session);
            await tool.TextAsync();
            await gate.SendRawAsync("CHOSEN /chosen-path HTTP/1.1\r\nHost: localhost:5000\r\nConnection: close\r\n\r\n");
            return "";
        });
        await using var __ = receiver;

        Assert.Contains(spans, span => span.Name == "_OTHER");
        Assert.Contains(spans, span => span["gen_ai.tool.name"] == "chosen-tool");
        Assert.DoesNotContain(spans, span => span.Name.Contains("chosen", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task No_secret_is_in_any_span()
    {
        var (spans, receiver, secrets) = await TraceAsync(SecretTraffic.RunAsync);
        await using var _ = receiver;

        Assert.True(spans.Count > 20);
        // The search can find.
        Assert.Contains("execute_tool", receiver.Text);
        foreach (var secret in secrets)
        {
            foreach (var form in (string[])[secret, Uri.EscapeDataString(secret)])
                Assert.DoesNotContain(form, receiver.Text);
        }
    }

    [Theory]
    [InlineData("OTEL_TRACES_EXPORTER", "none")]
    [InlineData("OTEL_SDK_DISABLED", "true")]
    public async Task Traces_can_be_turned_off(string name, string value)
    {
        var (spans, receiver, _) = await TraceAsync(CallAsync, new() { [name] = value });
        await using var __ = receiver;

        Assert.Empty(spans);
    }

    [Theory]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317")]
    [InlineData("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "ftp://collector")]
    [InlineData("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")]
    public void A_variable_that_nothing_could_be_sent_by_is_a_fault(string name, string value)
    {
        var settings = new Sallyport.Server.Configuration.GateSettings { Data = "data" };
        settings.OpenTelemetry[name] = value;

        Assert.Null(Sallyport.Server.Configuration.GateConfiguration.From(settings, out var faults));

        Assert.Equal(name, Assert.Single(faults).Setting);
    }
}
