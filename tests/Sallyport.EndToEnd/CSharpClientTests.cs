using System.Web;
using ModelContextProtocol.Authentication;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;
using Sallyport.Demonstration;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd;

/// <summary>The C# SDK's client as it comes: it asks for the newest revision first, and falls back when the gate tells it which there are.</summary>
public sealed class CSharpClientTests
{
    private const string UserName = "alice";
    private const string Password = "correct horse battery staple";

    [Theory]
    [InlineData("built in", "2025-11-25")]
    [InlineData("relayed", "2025-11-25")]
    [InlineData("command", "2026-07-28")]
    public async Task A_client_of_the_CSharp_SDK_settles_on_what_the_server_speaks_and_calls_a_tool(string server, string revision)
    {
        using var data = new DataFolder();
        await using var everything = server == "relayed" ? await McpServerProcess.StartEverythingAsync() : null;
        await using var gate = await GateProcess.StartAsync(data, server switch
        {
            "relayed" => ["--upstream", everything!.Url],
            "command" => ["--", Repository.NewerNode, Path.Combine(Repository.Clients, "modern-stdio-server.mjs"), "both"],
            _ => [],
        });
        await Executable.AddUserAsync(data, UserName, Password);
        using var handler = new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false };
        using var browser = new ScriptedBrowser(handler, gate.Origin, UserName, Password);
        await using var transport = new HttpClientTransport(new HttpClientTransportOptions
        {
            Endpoint = new(gate.Origin + "/mcp"),
            TransportMode = HttpTransportMode.StreamableHttp,
            OAuth = new()
            {
                RedirectUri = new("http://localhost:8123/callback"),
                DynamicClientRegistration = new() { ClientName = "The C# SDK" },
                AuthorizationCallbackHandler = async (context, token) =>
                {
                    var answer = HttpUtility.ParseQueryString((await browser.AuthorizeAsync(context.AuthorizationUri, token)).Query);
                    return new AuthorizationResult { Code = answer["code"], State = answer["state"], Iss = answer["iss"] };
                },
            },
        });

        await using (var client = await McpClient.CreateAsync(transport, cancellationToken: TestContext.Current.CancellationToken))
        {
            var result = await client.CallToolAsync("echo", new Dictionary<string, object?> { ["message"] = "hello" }, cancellationToken: TestContext.Current.CancellationToken);
            Assert.Contains("hello", Assert.IsType<TextContentBlock>(result.Content.Single()).Text);
            Assert.Equal(revision, client.NegotiatedProtocolVersion);
        }
        await gate.StopAsync();
        var log = await data.ReadLogAsync();
        Assert.Equal("echo", log.Single<AccessAllowed>(access => access.Method == "tools/call").Name);
        // Where the server does not speak the revision that the client tries first, the gate says so, and the server sees nothing of it.
        Assert.Equal(revision == "2026-07-28" ? 0 : 1, log.All<AccessRefused>().Count(refused => refused.Reason == Reason.RevisionUnsupported));
    }
}
