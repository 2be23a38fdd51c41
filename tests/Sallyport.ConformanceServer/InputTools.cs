using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Sallyport.ConformanceServer;

/// <summary>Tools that need input, and say so in their answer, as servers of 2026-07-28 do: the client calls again with it.</summary>
[McpServerToolType]
internal sealed class InputTools
{
    private static readonly byte[] s_key = RandomNumberGenerator.GetBytes(32);

    [McpServerTool(Name = "test_input_required_result_elicitation")]
    public static CallToolResult Elicitation(RequestContext<CallToolRequestParams> request) =>
        Answer(request, "user_name") is { } answer
            ? Said($"Hello, {Text(answer.Deserialize(InputResponse.ElicitResultJsonTypeInfo)?.Content, "name")}!")
            : throw Needs(("user_name", Form("What is your name?", "name")));

    [McpServerTool(Name = "test_input_required_result_sampling")]
    public static CallToolResult Sampling(RequestContext<CallToolRequestParams> request) =>
        Answer(request, "capital_question") is { } answer
            ? Said($"The model said: {answer.Deserialize(InputResponse.CreateMessageResultJsonTypeInfo)?.Content?.OfType<TextContentBlock>().FirstOrDefault()?.Text}")
            : throw Needs(("capital_question", InputRequest.ForSampling(Question("What is the capital of France?"))));

    [McpServerTool(Name = "test_input_required_result_list_roots")]
    public static CallToolResult Roots(RequestContext<CallToolRequestParams> request) =>
        Answer(request, "client_roots") is { } answer
            ? Said($"There are {answer.Deserialize(InputResponse.ListRootsResultJsonTypeInfo)?.Roots?.Count} roots")
            : throw Needs(("client_roots", InputRequest.ForRootsList(new())));

    [McpServerTool(Name = "test_input_required_result_request_state")]
    public static CallToolResult RequestState(RequestContext<CallToolRequestParams> request) => request.Params.RequestState switch
    {
        null => throw Needs("kept", ("confirm", Form("Please confirm", "ok"))),
        "kept" => Said("state-ok"),
        _ => Said("This is another state."),
    };

    [McpServerTool(Name = "test_input_required_result_multiple_inputs")]
    public static CallToolResult Several(RequestContext<CallToolRequestParams> request) => request.Params.InputResponses is { Count: >= 3 }
        ? Said("All of it came.")
        : throw Needs("several",
            ("user_name", Form("What is your name?", "name")),
            ("greeting", InputRequest.ForSampling(Question("Generate a greeting"))),
            ("client_roots", InputRequest.ForRootsList(new())));

    [McpServerTool(Name = "test_input_required_result_multi_round")]
    public static CallToolResult Rounds(RequestContext<CallToolRequestParams> request) => request.Params.RequestState switch
    {
        null => throw Needs("round-1", ("step1", Form("What is your name?", "name"))),
        "round-1" => throw Needs("round-2", ("step2", Form("What is your favourite colour?", "color"))),
        _ => Said("That was all."),
    };

    [McpServerTool(Name = "test_input_required_result_tampered_state")]
    public static CallToolResult Tampered(RequestContext<CallToolRequestParams> request) => request.Params.RequestState switch
    {
        null => throw Needs(Signed("state"), ("confirm", Form("Please confirm", "ok"))),
        var state when state == Signed("state") => Said("It is the same state."),
        _ => throw new McpProtocolException("The state was changed", McpErrorCode.InvalidParams),
    };

    [McpServerTool(Name = "test_input_required_result_capabilities")]
    public static CallToolResult Capabilities(RequestContext<CallToolRequestParams> request)
    {
        var can = request.JsonRpcRequest.Context?.ClientCapabilities;
        var needed = new List<(string, InputRequest)>();
        if (can?.Sampling is not null)
            needed.Add(("capital_question", InputRequest.ForSampling(Question("What is the capital of France?"))));
        if (can?.Elicitation is not null)
            needed.Add(("user_name", Form("What is your name?", "name")));
        return request.Params.InputResponses is { Count: > 0 } || needed.Count == 0 ? Said("That is all that this client can do.") : throw Needs([.. needed]);
    }

    /// <summary>The same of a prompt.</summary>
    public static string Prompt(RequestContext<GetPromptRequestParams> request) =>
        request.Params.InputResponses?.TryGetValue("user_context", out var answer) == true
            ? $"Go on with {Text(answer!.Deserialize(InputResponse.ElicitResultJsonTypeInfo)?.Content, "context")}"
            : throw Needs(("user_context", Form("Which context?", "context")));

    public static CreateMessageRequestParams Question(string text) =>
        new() { MaxTokens = 100, Messages = [new() { Role = Role.User, Content = [new TextContentBlock { Text = text }] }] };

    private static InputRequest Form(string message, string field) => InputRequest.ForElicitation(new()
    {
        Message = message,
        RequestedSchema = new()
        {
            Properties = { [field] = field == "ok" ? new ElicitRequestParams.BooleanSchema() : new ElicitRequestParams.StringSchema() },
            Required = [field],
        },
    });

    private static InputRequiredException Needs(params (string Key, InputRequest Request)[] requests) => Needs(null, requests);

    private static InputRequiredException Needs(string? state, params (string Key, InputRequest Request)[] requests) =>
        new(requests.ToDictionary(each => each.Key, each => each.Request), state);

    private static InputResponse? Answer(RequestContext<CallToolRequestParams> request, string key) => request.Params.InputResponses?.TryGetValue(key, out var answer) == true ? answer : null;

    private static CallToolResult Said(string text) => new() { Content = [new TextContentBlock { Text = text }] };

    private static string? Text(IDictionary<string, JsonElement>? content, string key) => content?.TryGetValue(key, out var value) == true ? value.ToString() : null;

    private static string Signed(string state) => $"{state}.{Convert.ToHexString(HMACSHA256.HashData(s_key, Encoding.ASCII.GetBytes(state)))}";
}
