using System.Reflection;
using System.Text;
using System.Text.Json;
using ModelContextProtocol.Client;

namespace Sallyport.EndToEnd.Support;

/// <summary>tests/clients/MATRIX.md: a table for each server, with a row for each client. Written with SALLYPORT_WRITE_MATRIX=1.</summary>
internal static class MatrixDocument
{
    private static readonly string[] s_steps =
        ["sign-in", "list", "call", "progress", "cancel", "read", "subscribe", "prompt", "sample", "elicit", "restart", "expiry", "revoked"];

    /// <summary>The clients: their name in a run, what they are, the package that they come in, and their transport.</summary>
    public static readonly (string Name, string Client, string Package, string Transport)[] Clients =
    [
        ("sdk-1", "TypeScript SDK 1.x", "@modelcontextprotocol/sdk", "Streamable HTTP"),
        ("sdk-1-sse", "TypeScript SDK 1.x", "@modelcontextprotocol/sdk", "HTTP+SSE"),
        ("client-2", "TypeScript client 2.x", "@modelcontextprotocol/client", "Streamable HTTP"),
        ("client-2-sse", "TypeScript client 2.x", "@modelcontextprotocol/client", "HTTP+SSE"),
        ("client-2-auto", "TypeScript client 2.x, both eras", "@modelcontextprotocol/client", "Streamable HTTP"),
        ("csharp", "C# SDK, both eras", "", "Streamable HTTP"),
        ("csharp-sse", "C# SDK", "", "HTTP+SSE"),
        ("mcp-remote", "mcp-remote", "mcp-remote", "Streamable HTTP"),
        ("mcp-remote-sse", "mcp-remote", "mcp-remote", "HTTP+SSE"),
        ("inspector", "Inspector's CLI", "@modelcontextprotocol/inspector", "Streamable HTTP"),
        ("inspector-sse", "Inspector's CLI", "@modelcontextprotocol/inspector", "HTTP+SSE"),
    ];

    private const string Preface = """
        # Clients and servers

        Real clients, each with its own OAuth code, at real servers behind the gate. Written by `MatrixTests` from what happened
        (`SALLYPORT_WRITE_MATRIX=1`), which is also what fails when it is not true any more.

        What the columns are: from the first 401 to tokens; tools listed; a tool called; its progress; the call taken back; a resource read;
        a change told to whom subscribed to it; a prompt; the client asked for a sample, and for input; called again when the gate was
        restarted, when the token was two hours old, and refused when the user was disabled.

        - **cancel**: `yes` is the server's own word that the call was taken back. server-everything has none to say, nor does its tool look:
          `forwarded` is the gate's log, which has the client's `notifications/cancelled` and that it reached the server; `left`, that the
          client sent none and only let go of its request, which takes nothing back at a revision with sessions.
        - **expiry**: by the gate's log the client came with the expired token, and got the next one by its refresh token (`refreshed`), or by a new
          code (`signed in again`).
        - **revoked**: by the gate's log the next that came from this very client was refused with 401, as its token was revoked, and nothing was
          allowed it any more.

        Inspector's CLI is one process for each step, which cannot be asked anything and has no way to subscribe or to take back a call.
        A server with `needs 2026-07-28` asks the client, and hears that a call is taken back, in the way of that revision only.


        """;

    private static string File { get; } = Path.Combine(Repository.Clients, "MATRIX.md");

    /// <summary>The section of one server. No cell of it is empty.</summary>
    public static string Section(string server, IReadOnlyCollection<MatrixStep> steps)
    {
        var section = new StringBuilder($"## {server}\n\n| client | release | transport | revision | {string.Join(" | ", s_steps)} |\n|{string.Concat(Enumerable.Repeat("---|", s_steps.Length + 4))}\n");
        foreach (var (name, client, package, transport) in Clients)
        {
            var own = steps.Where(step => step.Client == name).ToList();
            section.Append($"| {client} | {(package.Length > 0 ? ReleaseOf(package) : CSharpRelease)} | {transport} | {Told(null).Revision} |");
            foreach (var step in s_steps)
                section.Append($" {Told(step).Result} |");
            section.Append('\n');

            MatrixStep Told(string? step) => own.SingleOrDefault(each => each.Step == step)
                ?? throw new InvalidOperationException($"{name} told nothing of '{step ?? "its revision"}' at {server}");
        }
        return section.Append('\n').ToString();
    }

    /// <summary>The release of a package from npm, as it is pinned.</summary>
    public static string ReleaseOf(string package) => JsonElement.Parse(System.IO.File.ReadAllBytes(Path.Combine(Repository.Clients, "package.json")))
        .GetProperty("dependencies").GetProperty(package).GetString()!;

    public static string Read() => System.IO.File.Exists(File) ? System.IO.File.ReadAllText(File) : "";

    /// <summary>Puts a server's section in its place, where it is to be written.</summary>
    public static void Write(IReadOnlyList<string> servers, string section)
    {
        if (Environment.GetEnvironmentVariable("SALLYPORT_WRITE_MATRIX") != "1")
            return;
        var old = Read();
        var document = new StringBuilder(Preface);
        foreach (var server in servers)
        {
            var heading = $"## {server}\n";
            var start = old.IndexOf(heading, StringComparison.Ordinal);
            document.Append(section.StartsWith(heading, StringComparison.Ordinal) ? section : start < 0 ? "" : old[start..(old.IndexOf("\n\n## ", start, StringComparison.Ordinal) is > 0 and var end ? end + 2 : old.Length)]);
        }
        System.IO.File.WriteAllText(File, document.ToString());
    }

    private static string CSharpRelease { get; } =
        typeof(McpClient).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];
}
