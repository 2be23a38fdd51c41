using System.Text;
using System.Text.Json;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Sallyport.ConformanceServer;

[McpServerResourceType]
internal sealed class Resources
{
    [McpServerResource(UriTemplate = "test://static-text", Name = "static-text", MimeType = "text/plain")]
    public static string StaticText() => "This is the content of the static text resource.";

    [McpServerResource(UriTemplate = "test://static-binary", Name = "static-binary", MimeType = "image/png")]
    public static BlobResourceContents StaticBinary() =>
        new() { Uri = "test://static-binary", MimeType = "image/png", Blob = Encoding.ASCII.GetBytes(ContentTools.Png) };

    [McpServerResource(UriTemplate = "test://template/{id}/data", Name = "template", MimeType = "application/json")]
    public static TextResourceContents Template(string id) =>
        new() { Uri = $"test://template/{id}/data", MimeType = "application/json", Text = JsonSerializer.Serialize(new { id, templateTest = true, data = $"Data for ID: {id}" }) };

    [McpServerResource(UriTemplate = "test://watched-resource", Name = "watched-resource", MimeType = "text/plain")]
    public static string Watched() => "Watched resource content";
}
