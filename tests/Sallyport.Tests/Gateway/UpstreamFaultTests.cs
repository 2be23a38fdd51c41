using Microsoft.AspNetCore.Http;

namespace Sallyport.Tests.Gateway;

/// <summary>Upstreams that do not do what they are there for.</summary>
public class UpstreamFaultTests
{
    private const string Answer = """{"jsonrpc":"2.0","id":1,"result":{}}""";

    [Theory]
    [InlineData(200, "text/html", "<h1>It works!</h1>", Reason.UpstreamMalformed)]
    [InlineData(200, "application/json", "<h1>It works!</h1>", Reason.UpstreamMalformed)]
    [InlineData(200, "application/json", """{"jsonrpc":"2.0","id":2,"result":{}}""", Reason.UpstreamMalformed)]
    [InlineData(200, "application/json", """{"jsonrpc":"2.0","id":1,"method":"x"}""", Reason.UpstreamMalformed)]
    [InlineData(200, "application/json", """{"jsonrpc":"2.0","id":1,"result":{},"result":{}}""", Reason.UpstreamMalformed)]
    [InlineData(200, null, "", Reason.UpstreamMalformed)]
    [InlineData(500, "application/json", Answer, Reason.UpstreamFailed)]
    [InlineData(503, "text/plain", "busy", Reason.UpstreamFailed)]
    public async Task What_is_no_answer_is_502_with_its_reason_and_not_relayed(int status, string? type, string body, Reason reason)
    {
        await using var upstream = await HttpServer.AnsweringAsync(status, type, body);
        var (gate, token) = await TestGate.WithTokenAsync(upstream.Url);
        await using var _ = gate;

        var response = await gate.PostMcpAsync(token, Messages.Call(1, "x"));

        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        Assert.Equal(1, (await response.JsonAsync()).GetProperty("id").GetInt32());
        await gate.StopAsync();
        Assert.Equal(reason, Assert.Single(gate.Events<AccessOutcome>().SelectMany(outcome => outcome.Unanswered)).Reason);
    }

    [Fact]
    public async Task A_server_that_breaks_off_and_comes_back_again_and_again_is_told_of_once_a_minute()
    {
        var calls = 0;
        await using var upstream = await HttpServer.StartAsync(async context =>
        {
            if (Interlocked.Increment(ref calls) % 2 == 0)
            {
                context.Response.ContentType = "application/json";
                await context.Response.WriteAsync(Answer);
                return;
            }
            context.Abort();
        });
        var (gate, token) = await TestGate.WithTokenAsync(upstream.Url);
        await using var _ = gate;
        int Told(string words) => gate.Log.Lines.Count(line => line.Contains(words, StringComparison.Ordinal));
        async Task CallAsync(int times)
        {
            for (var i = 0; i < times; i++)
                await (await gate.PostMcpAsync(token, Messages.Call(1, "x"))).TextAsync();
        }

        await CallAsync(times: 20);
        Assert.Equal((1, 1), (Told("gives no usable answer (upstream.ended)"), Told("answers again")));
        gate.Time.Advance(TimeSpan.FromMinutes(1));
        await CallAsync(times: 20);

        Assert.Equal((2, 2), (Told("gives no usable answer (upstream.ended)"), Told("answers again")));
        await gate.StopAsync();
        Assert.Equal(Enumerable.Repeat(Reason.UpstreamEnded, 20), gate.Events<AccessOutcome>().SelectMany(outcome => outcome.Unanswered).Select(failure => failure.Reason));
    }

    [Fact]
    public async Task A_fault_of_which_nothing_was_told_because_of_another_one_is_told_when_it_stays()
    {
        var (type, body) = ("text/html", "no");
        await using var upstream = await HttpServer.StartAsync(context =>
        {
            context.Response.ContentType = type;
            return context.Response.WriteAsync(body);
        });
        var (gate, token) = await TestGate.WithTokenAsync(upstream.Url);
        await using var _ = gate;
        int Told() => gate.Log.Lines.Count(line => line.Contains("gives no usable answer", StringComparison.Ordinal));
        async Task CallAsync() => await (await gate.PostMcpAsync(token, Messages.Call(1, "x"))).TextAsync();

        await CallAsync();
        (type, body) = ("application/json", Answer);
        await CallAsync();
        (type, body) = ("text/html", "no");
        await CallAsync();
        Assert.Equal(1, Told());
        gate.Time.Advance(TimeSpan.FromMinutes(1));
        await CallAsync();

        Assert.Equal(2, Told());
    }

    [Fact]
    public async Task An_answer_that_is_too_large_is_no_answer()
    {
        await using var upstream = await HttpServer.AnsweringAsync(200, "application/json", $$$"""{"jsonrpc":"2.0","id":1,"result":"{{{new string('x', 4 * 1024 * 1024)}}}"}""");
        var (gate, token) = await TestGate.WithTokenAsync(upstream.Url);
        await using var _ = gate;

        Assert.Equal(HttpStatusCode.BadGateway, (await gate.PostMcpAsync(token, Messages.Call(1, "x"))).StatusCode);
    }

    [Fact]
    public async Task An_answer_that_says_that_it_is_not_encoded_is_relayed_and_an_encoded_one_is_not()
    {
        var encoding = "identity";
        await using var upstream = await HttpServer.StartAsync(context =>
        {
            context.Response.Headers.ContentEncoding = encoding;
            context.Response.ContentType = "application/json";
            return context.Response.WriteAsync(Answer);
        });
        var (gate, token) = await TestGate.WithTokenAsync(upstream.Url);
        await using var _ = gate;

        var plain = await gate.PostMcpAsync(token, Messages.Call(1, "x"));
        encoding = "gzip";
        var encoded = await gate.PostMcpAsync(token, Messages.Call(1, "x"));

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.BadGateway), (plain.StatusCode, encoded.StatusCode));
    }

    [Theory]
    [InlineData("application/json", "")]
    [InlineData("text/event-stream", "event: message\ndata: ")]
    public async Task An_error_of_the_protocol_is_relayed_and_one_in_other_words_keeps_its_status_only(string type, string frame)
    {
        await using var protocol = await HttpServer.AnsweringAsync(404, type, frame + """{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}""" + "\n\n");
        await using var words = await HttpServer.AnsweringAsync(429, "text/html", "<h1>theirs</h1>");
        var (gate, token) = await TestGate.WithTokenAsync(protocol.Url);
        await using var _ = gate;
        var (second, secondToken) = await TestGate.WithTokenAsync(words.Url);
        await using var __ = second;

        var relayed = await gate.PostMcpAsync(token, Messages.Call(1, "x"));
        var kept = await second.PostMcpAsync(secondToken, Messages.Call(1, "x"));

        Assert.Equal((HttpStatusCode.NotFound, -32601), (relayed.StatusCode, (await relayed.JsonAsync()).GetProperty("error").GetProperty("code").GetInt32()));
        Assert.Equal(HttpStatusCode.TooManyRequests, kept.StatusCode);
        Assert.DoesNotContain("theirs", await kept.TextAsync());
        await second.StopAsync();
        Assert.Equal(Reason.UpstreamFailed, second.Events<AccessOutcome>().SelectMany(outcome => outcome.Unanswered).Single().Reason);
    }

    [Fact]
    public async Task An_upstream_that_does_not_begin_to_answer_is_given_up_after_its_time()
    {
        await using var upstream = new CountingUpstream();
        var (gate, token) = await TestGate.WithTokenAsync(upstream.Url);
        await using var _ = gate;

        var posting = gate.PostMcpAsync(token, Messages.Call(1, "x"));
        await upstream.Touched.WaitAsync(TestContext.Current.CancellationToken);
        gate.Time.Advance(TimeSpan.FromMinutes(5));
        var response = await posting.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        await gate.StopAsync();
        Assert.Equal(Reason.UpstreamTimeout, gate.Events<AccessOutcome>().SelectMany(outcome => outcome.Unanswered).Single().Reason);
    }

    public static TheoryData<string, string> Addresses => new()
    {
        { "application/json", """{"jsonrpc":"2.0","id":1,"error":{"code":-32042,"message":"m","data":{"elicitations":[{"mode":"url","url":"URL"}]}}}""" },
        { "application/json", """{"jsonrpc":"2.0","id":1,"result":{"inputRequests":{"a":{"method":"elicitation/create","params":{"mode":"url","url":"URL"}}}}}""" },
        { "text/event-stream", """data: {"jsonrpc":"2.0","id":1,"error":{"code":-32042,"message":"m","data":{"elicitations":[{"mode":"url","url":"URL"}]}}}""" + "\n\n" },
        { "text/event-stream", """data: {"jsonrpc":"2.0","id":7,"method":"elicitation/create","params":{"mode":"url","url":"URL"}}""" + "\n\ndata: " + Answer + "\n\n" },
    };

    [Theory]
    [MemberData(nameof(Addresses))]
    public async Task STDIO_08_An_address_that_no_client_should_open_is_no_answer_of_an_HTTP_server_either(string type, string body)
    {
        var url = "https://login.example/";
        await using var upstream = await HttpServer.StartAsync(context =>
        {
            context.Response.ContentType = type;
            return context.Response.WriteAsync(body.Replace("URL", url, StringComparison.Ordinal));
        });
        var (gate, token) = await TestGate.WithTokenAsync(upstream.Url);
        await using var _ = gate;

        var good = await (await gate.PostMcpAsync(token, Messages.Call(1, "x"))).TextAsync();
        url = "javascript:alert(1)";
        var bad = await (await gate.PostMcpAsync(token, Messages.Call(1, "x"))).TextAsync();

        Assert.Contains("https://login.example/", good, StringComparison.Ordinal);
        Assert.DoesNotContain("javascript", bad, StringComparison.Ordinal);
        Assert.Contains("\"code\":-32000", bad, StringComparison.Ordinal);
    }
}
