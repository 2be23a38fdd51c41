using System.Globalization;

namespace Sallyport.EndToEnd.Support;

/// <summary>Debian's nginx before a gate, set up as the README says; or before a server, as its guard.</summary>
internal sealed class NginxProcess : IAsyncDisposable
{
    private readonly ChildProcess _process;
    private readonly DataFolder _folder;

    private NginxProcess(ChildProcess process, DataFolder folder, int port) => (_process, _folder, Port) = (process, folder, port);

    public int Port { get; }

    public static Task<NginxProcess> StartAsync(int port, int gatePort) => StartAsync(
        port,
        "access_log off;",
        string.Create(CultureInfo.InvariantCulture, $$"""
            listen 127.0.0.1:{{port}};
            large_client_header_buffers 4 32k;
            location / {
              proxy_pass http://127.0.0.1:{{gatePort}};
              proxy_http_version 1.1;
              proxy_set_header Host $http_host;
              proxy_buffering off;
              proxy_buffers 4 32k;
              proxy_buffer_size 32k;
              proxy_read_timeout 1h;
            }
            """));

    /// <summary>With nothing said but where the gate is and what it is called: it holds answers back, as long as these do not forbid it.</summary>
    public static Task<NginxProcess> StartPlainAsync(int port, int gatePort) => StartAsync(
        port,
        "access_log off;",
        string.Create(CultureInfo.InvariantCulture, $$"""
            listen 127.0.0.1:{{port}};
            location / { proxy_pass http://127.0.0.1:{{gatePort}}; proxy_set_header Host $http_host; }
            """));

    /// <summary>Before an MCP server that asks for nothing: nginx asks for the token itself, and logs in the combined format and in JSON, which shows whether credentials came.</summary>
    /// <param name="isBroken">Whether there is another way to the server, that the guard was forgotten at.</param>
    public static Task<NginxProcess> StartGuardAsync(int port, Uri server, string token, bool isBroken)
    {
        const string Proxy = "proxy_http_version 1.1; proxy_buffering off; proxy_set_header Host $proxy_host; proxy_set_header Authorization '';";
        return StartAsync(
            port,
            $$"""
            log_format shown escape=json '{"time":"$time_iso8601","remote_addr":"$remote_addr","request_method":"$request_method","request_uri":"$request_uri","status":$status,"http_user_agent":"$http_user_agent","http_authorization":"$credentials"}';
            map $http_authorization $credentials { '' ''; default 'present'; }
            map $http_authorization $refused { 'Bearer {{token}}' 0; default 1; }
            access_log combined.log combined;
            access_log json.log shown;
            """,
            string.Create(CultureInfo.InvariantCulture, $$"""
            listen 127.0.0.1:{{port}};
            location = {{server.AbsolutePath}} { if ($refused) { return 401; } proxy_pass {{server}}; {{Proxy}} }
            {{(isBroken ? $"location = /internal{server.AbsolutePath} {{ proxy_pass {server}; {Proxy} }}" : "")}}
            """));
    }

    private static async Task<NginxProcess> StartAsync(int port, string http, string server)
    {
        var folder = new DataFolder();
        var directory = Directory.CreateDirectory(folder.Path).FullName;
        var configuration = Path.Combine(directory, "nginx.conf");
        await File.WriteAllTextAsync(configuration, $$"""
            daemon off;
            master_process off;
            pid {{directory}}/nginx.pid;
            error_log stderr notice;
            events { }
            http {
              client_body_temp_path {{directory}}/body;
              proxy_temp_path {{directory}}/proxy;
              fastcgi_temp_path {{directory}}/fastcgi;
              uwsgi_temp_path {{directory}}/uwsgi;
              scgi_temp_path {{directory}}/scgi;
            {{http}}
              server {
            {{server}}
              }
            }
            """, TestContext.Current.CancellationToken);
        var process = ChildProcess.Start("nginx", ["-p", directory, "-e", "stderr", "-c", configuration]);
        // Told when it has its port.
        Assert.True(await process.WritesAsync(() => process.Error.Contains("epoll", StringComparison.Ordinal)), process.Error);
        return new(process, folder, port);
    }

    /// <summary>One of its logs, once it has so many lines: a request's is written when it is over, which the caller may know before.</summary>
    public async Task<string> ReadAsync(string log, int lines)
    {
        var text = "";
        await FileChanges.UntilAsync(
            _folder.Path,
            () => (text = File.ReadAllText(Path.Combine(_folder.Path, log))).Count(c => c == '\n') >= lines,
            () => $"nginx has written no more than\n{text}");
        return text;
    }

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        _folder.Dispose();
    }
}
