using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Sallyport.EndToEnd.Support;

namespace Sallyport.EndToEnd;

/// <summary>What an operator's programs see of the real executable, at its other door.</summary>
public class MonitoringTests
{
    private static readonly HttpClient s_http = new(new SocketsHttpHandler { UseProxy = false });

    [Fact]
    public async Task The_admin_listener_is_on_loopback_alone_and_each_door_has_only_its_own()
    {
        using var data = new DataFolder();
        var port = Ports.Free();
        var admin = $"http://127.0.0.1:{port}";
        await using var gate = await GateProcess.StartAsync(data, "--admin-urls", admin);

        Assert.Contains($"Admin         {admin}: /readyz and /metrics", gate.Error, StringComparison.Ordinal);
        using var ready = await GetAsync(admin + "/readyz");
        using var metrics = await GetAsync(admin + "/metrics");
        using var publicMetrics = await GetAsync(gate.Origin + "/metrics");
        using var publicReady = await GetAsync(gate.Origin + "/readyz");
        using var mcp = await GetAsync(admin + "/mcp");
        using var rebound = await GetAsync(admin + "/metrics", host: $"evil.example:{port}");

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), (ready.StatusCode, metrics.StatusCode));
        Assert.Contains("sallyport_log_open", await metrics.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.Equal((HttpStatusCode.Unauthorized, HttpStatusCode.Unauthorized), (publicMetrics.StatusCode, publicReady.StatusCode));
        Assert.Equal((HttpStatusCode.NotFound, HttpStatusCode.MisdirectedRequest), (mcp.StatusCode, rebound.StatusCode));
        var elsewhere = NetworkInterface.GetAllNetworkInterfaces().SelectMany(network => network.GetIPProperties().UnicastAddresses)
            .Select(address => address.Address).Where(address => !IPAddress.IsLoopback(address) && address.AddressFamily == AddressFamily.InterNetwork);
        foreach (var address in elsewhere)
        {
            using var connection = new TcpClient();
            var refused = await Assert.ThrowsAsync<SocketException>(() => connection.ConnectAsync(address, port, TestContext.Current.CancellationToken).AsTask());
            Assert.Equal(SocketError.ConnectionRefused, refused.SocketErrorCode);
        }
        await gate.StopAsync();
    }

    [Fact]
    public async Task A_wrong_answer_before_the_gate_turns_readiness_red()
    {
        // What stands at the public address lets everybody in.
        var port = Ports.Free();
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.ListenLocalhost(port));
        await using var proxy = builder.Build();
        proxy.Run(context => context.Response.WriteAsync("welcome"));
        await proxy.StartAsync(TestContext.Current.CancellationToken);
        using var data = new DataFolder();
        var admin = GateProcess.OriginOf(Ports.Free());
        await using var gate = await GateProcess.StartAsync(data, "--admin-urls", admin, "--public-url", GateProcess.OriginOf(port), "--ready-needs-heartbeats", "--heartbeat-seconds", "300");

        Assert.True(await gate.Process.WritesAsync(() => gate.Error.Contains("A HEARTBEAT GOT A WRONG ANSWER", StringComparison.Ordinal)));
        using var ready = await GetAsync(admin + "/readyz");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.StatusCode);
        using var body = JsonDocument.Parse(await ready.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        Assert.Equal(["heartbeat.wrong"], body.RootElement.GetProperty("missing").EnumerateArray().Select(word => word.GetString()));
        await gate.StopAsync();
    }

    [Fact]
    public async Task An_address_that_others_can_reach_is_refused_with_a_hint()
    {
        using var data = new DataFolder();

        var finished = await Executable.RunAsync("serve", "--data", data.Path, "--admin-urls", "http://0.0.0.0:8790");

        Assert.Equal((int)ExitCode.Usage, finished.ExitCode);
        Assert.Contains("admin-urls: 'http://0.0.0.0:8790' can be reached from other machines", finished.Error, StringComparison.Ordinal);
    }

    private static Task<HttpResponseMessage> GetAsync(string url, string? host = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, url);
        request.Headers.Host = host;
        return s_http.SendAsync(request, TestContext.Current.CancellationToken);
    }
}
