using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;
using Schema = ModelContextProtocol.Protocol.ElicitRequestParams;

namespace Sallyport.ConformanceServer;

/// <summary>Tools that ask the client for something while they are called, as servers with sessions may.</summary>
[McpServerToolType]
internal sealed class AskingTools
{
    [McpServerTool(Name = "test_sampling")]
    public static async Task<string> SampleAsync(McpServer server, string prompt, CancellationToken cancellationToken)
    {
        var result = await server.SampleAsync(InputTools.Question(prompt), cancellationToken);
        return $"LLM response: {(result.Content[0] as TextContentBlock)?.Text}";
    }

    [McpServerTool(Name = "test_elicitation")]
    public static Task<string> ElicitAsync(McpServer server, string message, CancellationToken cancellationToken) =>
        AskAsync(server, message, new() { Properties = { ["response"] = new Schema.StringSchema { Description = "User's response" } } }, cancellationToken);

    [McpServerTool(Name = "test_elicitation_sep1034_defaults")]
    public static Task<string> ElicitDefaultsAsync(McpServer server, CancellationToken cancellationToken) => AskAsync(server, "Defaults", new()
    {
        Properties =
        {
            ["name"] = new Schema.StringSchema { Default = "John Doe" },
            ["age"] = new Schema.NumberSchema { Type = "integer", Default = 30 },
            ["score"] = new Schema.NumberSchema { Default = 95.5 },
            ["status"] = new Schema.UntitledSingleSelectEnumSchema { Enum = ["active", "inactive", "pending"], Default = "active" },
            ["verified"] = new Schema.BooleanSchema { Default = true },
        },
    }, cancellationToken);

    [McpServerTool(Name = "test_elicitation_sep1330_enums")]
    public static Task<string> ElicitEnumsAsync(McpServer server, CancellationToken cancellationToken) => AskAsync(server, "Choices", new()
    {
        Properties =
        {
            ["untitledSingle"] = new Schema.UntitledSingleSelectEnumSchema { Enum = ["option1", "option2", "option3"] },
            ["titledSingle"] = new Schema.TitledSingleSelectEnumSchema { OneOf = Titled() },
            ["legacyEnum"] = new Schema.LegacyTitledEnumSchema { Enum = ["opt1", "opt2", "opt3"], EnumNames = ["Option One", "Option Two", "Option Three"] },
            ["untitledMulti"] = new Schema.UntitledMultiSelectEnumSchema { Items = new() { Enum = ["option1", "option2", "option3"] } },
            ["titledMulti"] = new Schema.TitledMultiSelectEnumSchema { Items = new() { AnyOf = Titled() } },
        },
    }, cancellationToken);

    private static async Task<string> AskAsync(McpServer server, string message, Schema.RequestSchema schema, CancellationToken cancellationToken)
    {
        var result = await server.ElicitAsync(new() { Message = message, RequestedSchema = schema }, cancellationToken);
        return $"Elicitation completed: action={result.Action}";
    }

    private static List<Schema.EnumSchemaOption> Titled() => [new() { Const = "value1", Title = "First" }, new() { Const = "value2", Title = "Second" }, new() { Const = "value3", Title = "Third" }];
}
