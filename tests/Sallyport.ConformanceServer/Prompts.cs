using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Sallyport.ConformanceServer;

[McpServerPromptType]
internal sealed class Prompts
{
    [McpServerPrompt(Name = "test_simple_prompt")]
    public static string Simple() => "This is a simple prompt for testing.";

    [McpServerPrompt(Name = "test_prompt_with_arguments")]
    public static string Arguments(string arg1, string arg2) => $"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'";

    [McpServerPrompt(Name = "test_prompt_with_embedded_resource")]
    public static IEnumerable<PromptMessage> EmbeddedResource(string resourceUri) =>
        [Of(ContentTools.Embedded(resourceUri, "Embedded resource content for testing.", "text/plain")), Of(new TextContentBlock { Text = "Please process it." })];

    [McpServerPrompt(Name = "test_prompt_with_image")]
    public static IEnumerable<PromptMessage> Image() => [Of(ContentTools.Pixel()), Of(new TextContentBlock { Text = "Please analyze the image above." })];

    [McpServerPrompt(Name = "test_input_required_result_prompt")]
    public static string NeedsInput(RequestContext<GetPromptRequestParams> request) => InputTools.Prompt(request);

    private static PromptMessage Of(ContentBlock content) => new() { Role = Role.User, Content = content };
}
