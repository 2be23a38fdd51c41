using System.Collections.Concurrent;
using System.ComponentModel;
using System.Text;
using System.Text.Json;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Sallyport.ConformanceServer;

/// <summary>Tools that answer by themselves. What they say is what the suite looks for.</summary>
[McpServerToolType]
internal sealed class ContentTools
{
    /// <summary>A red pixel.</summary>
    public const string Png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";

    /// <summary>The calls of <c>work</c>, by the names that they were given.</summary>
    private static readonly ConcurrentDictionary<string, TaskCompletionSource> s_cancelled = new();

    private const string Wav = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=";

    [McpServerTool(Name = "echo")]
    public static string Echo(string message) => $"Echo: {message}";

    [McpServerTool(Name = "test_simple_text")]
    public static string SimpleText() => "This is a simple text response for testing.";

    [McpServerTool(Name = "test_image_content")]
    public static ImageContentBlock Image() => Pixel();

    [McpServerTool(Name = "test_audio_content")]
    public static AudioContentBlock Audio() => new() { Data = Encoding.ASCII.GetBytes(Wav), MimeType = "audio/wav" };

    [McpServerTool(Name = "test_embedded_resource")]
    public static EmbeddedResourceBlock EmbeddedResource() => Embedded("test://embedded-resource", "This is an embedded resource content.", "text/plain");

    [McpServerTool(Name = "test_multiple_content_types")]
    public static ContentBlock[] SeveralContents() =>
    [
        new TextContentBlock { Text = "Multiple content types test:" },
        Pixel(),
        Embedded("test://mixed-content-resource", """{"test":"data","value":123}""", "application/json"),
    ];

    [McpServerTool(Name = "test_error_handling")]
    public static CallToolResult Fails() => new() { IsError = true, Content = [new TextContentBlock { Text = "This tool intentionally returns an error for testing" }] };

    [McpServerTool(Name = "test_tool_with_logging")]
    public static string Logs(RequestContext<CallToolRequestParams> request)
    {
        var logger = request.Server.AsClientLoggerProvider().CreateLogger("conformance");
        foreach (var step in (string[])["started", "processing data", "completed"])
        {
            if (logger.IsEnabled(LogLevel.Information))
                logger.Log(LogLevel.Information, default, step, null, static (text, _) => $"Tool execution {text}");
        }
        return "Tool with logging executed successfully";
    }

    [McpServerTool(Name = "test_logging_tool")]
    public static string LogsOnce(RequestContext<CallToolRequestParams> request)
    {
        request.Server.AsClientLoggerProvider().CreateLogger("conformance").Log(LogLevel.Information, default, "executed", null, static (text, _) => text);
        return "Whoever asked for logs has got one.";
    }

    [McpServerTool(Name = "test_tool_with_progress")]
    public static async Task<string> ProgressesAsync(McpServer server, RequestContext<CallToolRequestParams> request, CancellationToken cancellationToken)
    {
        foreach (var progress in (int[])[0, 50, 100])
            await TellAsync(server, request, progress, cancellationToken);
        return request.Params.ProgressToken?.ToString() ?? "Nobody asked for progress";
    }

    /// <summary>Gets on a little, and no further until it is taken back.</summary>
    [McpServerTool(Name = "work")]
    public static async Task<string> WorksAsync(McpServer server, RequestContext<CallToolRequestParams> request, string call, CancellationToken cancellationToken)
    {
        await using var registration = cancellationToken.Register(() => Cancelled(call).TrySetResult());
        await TellAsync(server, request, 1, cancellationToken);
        await Cancelled(call).Task;
        return "";
    }

    /// <summary>Answers when that call of <c>work</c> was taken back.</summary>
    [McpServerTool(Name = "cancelled")]
    public static async Task<string> IsCancelledAsync(string call, CancellationToken cancellationToken)
    {
        await Cancelled(call).Task.WaitAsync(cancellationToken);
        return "cancelled";
    }

    [McpServerTool(Name = "test_reconnection")]
    public static string Reconnection() => "Reconnection test completed successfully";

    [McpServerTool(Name = "test_streaming_elicitation")]
    public static string NothingElse() => "Nothing but this came over the stream.";

    [McpServerTool(Name = "test_header_tool")]
    public static string Headers([McpHeader("Region"), Description("The deployment region")] string region, [Description("The query")] string query) =>
        $"Executed in region {region}: {query}";

    [McpServerTool(Name = "test_missing_capability")]
    public static string NeedsSampling(RequestContext<CallToolRequestParams> request) => request.Server.ClientCapabilities?.Sampling is not null
        ? "The client can sample."
        : throw new ModelContextProtocol.MissingRequiredClientCapabilityException(new ClientCapabilities { Sampling = new() }, "this tool needs sampling");

    /// <summary>Whose schema uses words that only JSON Schema 2020-12 has.</summary>
    public static McpServerTool JsonSchema()
    {
        var tool = McpServerTool.Create(() => "executed", new() { Name = "json_schema_2020_12_tool", Description = "Tool with JSON Schema 2020-12 features" });
        tool.ProtocolTool.InputSchema = JsonElement.Parse("""
            {
              "$schema": "https://json-schema.org/draft/2020-12/schema",
              "type": "object",
              "$defs": {
                "address": { "$anchor": "addressDef", "type": "object", "properties": { "street": { "type": "string" }, "city": { "type": "string" } } }
              },
              "properties": {
                "name": { "type": "string" }, "address": { "$ref": "#/$defs/address" },
                "contactMethod": { "type": "string", "enum": ["phone", "email"] }, "phone": { "type": "string" }, "email": { "type": "string" }
              },
              "allOf": [{ "anyOf": [{ "required": ["phone"] }, { "required": ["email"] }] }],
              "if": { "properties": { "contactMethod": { "const": "phone" } }, "required": ["contactMethod"] },
              "then": { "required": ["phone"] },
              "else": { "required": ["email"] },
              "additionalProperties": false
            }
            """);
        return tool;
    }

    public static ImageContentBlock Pixel() => new() { Data = Encoding.ASCII.GetBytes(Png), MimeType = "image/png" };

    public static EmbeddedResourceBlock Embedded(string uri, string text, string type) =>
        new() { Resource = new TextResourceContents { Uri = uri, MimeType = type, Text = text } };

    private static TaskCompletionSource Cancelled(string call) => s_cancelled.GetOrAdd(call, _ => new(TaskCreationOptions.RunContinuationsAsynchronously));

    private static Task TellAsync(McpServer server, RequestContext<CallToolRequestParams> request, int progress, CancellationToken cancellationToken) =>
        request.Params.ProgressToken is { } token
            ? server.NotifyProgressAsync(token, new() { Progress = progress, Total = 100 }, cancellationToken: cancellationToken)
            : Task.CompletedTask;
}
