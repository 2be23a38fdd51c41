using System.Net;
using System.Text;
using Sallyport.EndToEnd.Attacks;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd;

/// <summary>Requests that begin and do not go on.</summary>
public sealed class SlowRequestTests
{
    private const int Many = 100;

    [Fact]
    public async Task DOS_03_What_comes_too_slowly_is_answered_408_in_time_and_keeps_nobody_waiting()
    {
        using var data = new DataFolder();
        await using var gate = await GateProcess.StartAsync(data);
        var begin = $"POST /token HTTP/1.1\r\nHost: localhost:{gate.Port}\r\nContent-Type: application/x-www-form-urlencoded\r\n";

        var heads = SendOften(gate, begin + "X-Slow: ");
        var bodies = SendOften(gate, begin + "Content-Length: 1000\r\n\r\ncode=");
        using var client = new HttpClient();
        using var others = await client.GetAsync(gate.Origin + "/.well-known/oauth-authorization-server", TestContext.Current.CancellationToken);
        Assert.Contains(heads, head => !head.IsCompleted);
        // The limit is that of an exchange: a minute.
        var answers = await Task.WhenAll([.. heads, .. bodies]);

        Assert.Equal(HttpStatusCode.OK, others.StatusCode);
        Assert.All(answers, answer => Assert.Equal(408, RawAnswer.Read(answer).Status));
        await gate.StopAsync();
        // Of a request without its end there is nothing to record yet.
        Assert.Equal(Many, Recording.ReadFiles(data).All<AccessRefused>().Count(refused => refused is { Reason: Reason.BodyMalformed, Status: 408 }));
    }

    private static List<Task<byte[]>> SendOften(GateProcess gate, string text) =>
        [.. Enumerable.Range(0, Many).Select(_ => RawConnection.ExchangeAsync(gate.Port, Encoding.ASCII.GetBytes(text)))];
}
