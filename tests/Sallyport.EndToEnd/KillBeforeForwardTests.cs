using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd;

/// <summary>A gate that is killed at any moment has let nothing through that its log does not have.</summary>
public sealed class KillBeforeForwardTests
{
    private const int Rounds = 5;
    private const int Callers = 8;
    private const string UserName = "alice";
    private const string Password = "correct horse battery staple";

    [Fact]
    public async Task Whatever_reached_the_upstream_before_a_kill_has_its_record()
    {
        var reached = new ConcurrentQueue<string>();
        var enough = new TaskCompletionSource();
        var wanted = 0;
        var upstreamPort = Ports.Free();
        await using var upstream = await StartUpstreamAsync(upstreamPort, tool =>
        {
            reached.Enqueue(tool);
            if (Interlocked.Decrement(ref wanted) == 0)
                enough.TrySetResult();
        });
        using var data = new DataFolder();
        var port = Ports.Free();

        for (var round = 0; round < Rounds; round++)
        {
            (enough, wanted) = (new(), RandomNumberGenerator.GetInt32(1, 60));
            await using var gate = await GateProcess.StartAsync(data, port, "--upstream", $"http://127.0.0.1:{upstreamPort}/mcp");
            if (round == 0)
                await Executable.AddUserAsync(data, UserName, Password);
            using var client = await GateClient.RegisterAsync(gate.Origin);
            var tokens = await client.SignInAsync(UserName, Password);

            var callers = Enumerable.Range(0, Callers).Select(caller => CallUntilCutOffAsync(gate.Origin, tokens.AccessToken, $"{round}-{caller}")).ToList();
            await enough.Task.WaitAsync(TestContext.Current.CancellationToken);
            await gate.KillAsync();
            await Task.WhenAll(callers);
        }

        var recorded = (await data.ReadLogAsync()).All<AccessAllowed>().Select(access => access.Name).ToHashSet();
        Assert.NotEmpty(reached);
        Assert.All(reached, tool => Assert.Contains(tool, recorded));
    }

    /// <summary>Calls tools that nobody else calls, one after the other, until the gate is gone.</summary>
    private static async Task CallUntilCutOffAsync(string origin, string token, string caller)
    {
        using var http = new HttpClient { BaseAddress = new(origin) };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        try
        {
            for (var call = 0; ; call++)
            {
                var message = $$$"""{"jsonrpc":"2.0","id":{{{call}}},"method":"tools/call","params":{"name":"{{{caller}}}-{{{call}}}"}}""";
                using var response = await http.PostAsync("/mcp", new StringContent(message, Encoding.UTF8, "application/json"), TestContext.Current.CancellationToken);
            }
        }
        catch (HttpRequestException)
        {
            // The gate was killed.
        }
    }

    private static async Task<WebApplication> StartUpstreamAsync(int port, Action<string> reached)
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.ListenLocalhost(port));
        var upstream = builder.Build();
        upstream.Run(async context =>
        {
            using var message = await JsonDocument.ParseAsync(context.Request.Body, cancellationToken: context.RequestAborted);
            reached(message.RootElement.GetProperty("params").GetProperty("name").GetString()!);
            context.Response.ContentType = "application/json";
            await context.Response.WriteAsync("""{"jsonrpc":"2.0","id":0,"result":{}}""", context.RequestAborted);
        });
        await upstream.StartAsync(TestContext.Current.CancellationToken);
        return upstream;
    }
}
