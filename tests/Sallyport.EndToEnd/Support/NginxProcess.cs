using System.Globalization;

namespace Sallyport.EndToEnd.Support;

/// <summary>Debian's nginx before a gate, set up as the README says.</summary>
internal sealed class NginxProcess : IAsyncDisposable
{
    private readonly ChildProcess _process;
    private readonly DataFolder _folder;

    private NginxProcess(ChildProcess process, DataFolder folder, int port) => (_process, _folder, Port) = (process, folder, port);

    public int Port { get; }

    public static async Task<NginxProcess> StartAsync(int port, int gatePort)
    {
        var folder = new DataFolder();
        var directory = Directory.CreateDirectory(folder.Path).FullName;
        var configuration = Path.Combine(directory, "nginx.conf");
        await File.WriteAllTextAsync(configuration, string.Create(CultureInfo.InvariantCulture, $$"""
            daemon off;
            master_process off;
            pid {{directory}}/nginx.pid;
            error_log stderr notice;
            events { }
            http {
              access_log off;
              client_body_temp_path {{directory}}/body;
              proxy_temp_path {{directory}}/proxy;
              fastcgi_temp_path {{directory}}/fastcgi;
              uwsgi_temp_path {{directory}}/uwsgi;
              scgi_temp_path {{directory}}/scgi;
              server {
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
              }
            }
            """), TestContext.Current.CancellationToken);
        var process = ChildProcess.Start("nginx", ["-p", directory, "-e", "stderr", "-c", configuration]);
        // Told when it has its port.
        Assert.True(await process.WritesAsync(() => process.Error.Contains("epoll", StringComparison.Ordinal)), process.Error);
        return new(process, folder, port);
    }

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        _folder.Dispose();
    }
}
