using System.Globalization;
using System.Net;

namespace Sallyport.Bench.Processes;

/// <summary>A server on a loopback port, which answers when this is there.</summary>
internal sealed class Server : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(2);

    private Server(string name, ChildProcess process, int port, TimeSpan firstAnswer) =>
        (Name, Process, Port, FirstAnswer) = (name, process, port, firstAnswer);

    public string Name { get; }
    public ChildProcess Process { get; }
    public int Port { get; }

    /// <summary>From the start of the process to its first answer at <c>/mcp</c>.</summary>
    public TimeSpan FirstAnswer { get; }

    public string Origin => OriginOf(Port);

    public static string OriginOf(int port) => string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}");

    public static async Task<Server> StartAsync(string name, int port, Func<ChildProcess> start)
    {
        var time = TimeProvider.System;
        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        var begun = time.GetTimestamp();
        var process = start();
        try
        {
            while (true)
            {
                try
                {
                    using var answer = await client.GetAsync(OriginOf(port) + "/mcp");
                    return new(name, process, port, time.GetElapsedTime(begun));
                }
                catch (HttpRequestException) when (!process.HasExited && time.GetElapsedTime(begun) < s_patience)
                {
                    await Task.Delay(s_interval, time);
                }
            }
        }
        catch (Exception exception)
        {
            await process.DisposeAsync();
            throw exception is HttpRequestException ? new BenchFault($"{name} does not answer: {process.Error}") : exception;
        }
    }

    /// <summary>One of the bench's own servers.</summary>
    public static Task<Server> StartOwnAsync(string name, params IEnumerable<string> options)
    {
        var port = Ports.Free();
        return StartAsync(name, port, () => ChildProcess.Start("dotnet", [Paths.Self, name, "--port", port.ToString(CultureInfo.InvariantCulture), .. options]));
    }

    public static Task<Server> StartYarpAsync(int upstream) => StartOwnAsync("yarp", "--upstream", upstream.ToString(CultureInfo.InvariantCulture));

    /// <summary>Debian's nginx, as one would set it up to stand before a server that is called often.</summary>
    public static async Task<Server> StartNginxAsync(string run, int upstream, bool accessLog)
    {
        var port = Ports.Free();
        var directory = Directory.CreateDirectory(Path.Combine(run, accessLog ? "nginx" : "nginx-without-log")).FullName;
        var configuration = Path.Combine(directory, "nginx.conf");
        await File.WriteAllTextAsync(configuration, $$"""
            {{(Environment.UserName == "root" ? "user root;" : "")}}
            daemon off;
            worker_processes 2;
            pid {{directory}}/pid;
            events { worker_connections 1024; }
            http {
                access_log {{(accessLog ? directory + "/access.log" : "off")}};
                client_body_temp_path {{directory}}/body;
                proxy_temp_path {{directory}}/proxy;
                fastcgi_temp_path {{directory}}/fastcgi;
                uwsgi_temp_path {{directory}}/uwsgi;
                scgi_temp_path {{directory}}/scgi;
                upstream server {
                    server 127.0.0.1:{{upstream}};
                    keepalive 64;
                    keepalive_requests 100000000;
                }
                server {
                    listen 127.0.0.1:{{port}};
                    keepalive_requests 100000000;
                    location / {
                        proxy_pass http://server;
                        proxy_http_version 1.1;
                        proxy_set_header Connection "";
                        proxy_set_header Host $http_host;
                    }
                }
            }
            """);
        return await StartAsync(accessLog ? "nginx" : "nginx, no log", port,
            () => ChildProcess.Start("nginx", ["-c", configuration, "-e", Path.Combine(directory, "error.log"), "-p", directory]));
    }

    public ValueTask DisposeAsync() => Process.DisposeAsync();
}
