using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Sallyport.Proof.Events;
using Sallyport.Server.Pipeline.Pages;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Pipeline;

/// <summary>The outer face of a refusal, once its inner face is recorded.</summary>
internal static class ErrorResponse
{
    /// <summary>As OAuth's JSON (RFC 6749 §5.2).</summary>
    public static Task WriteJsonAsync(this HttpContext context, Reason reason, int? status = null)
    {
        var error = OAuthError.For(reason);
        context.Response.StatusCode = status ?? error.Status;
        return context.Response.WriteAsJsonAsync(new ErrorBody(error.Code, error.Description), WireJson.Default.ErrorBody);
    }

    /// <summary>As a page where a person is looking (<c>Accept</c> names text/html), else as OAuth's JSON.</summary>
    public static Task WritePageOrJsonAsync(this HttpContext context, Reason reason, int? status = null) =>
        IsForPerson(context.Request)
            ? PageResponse.WriteAsync<ErrorPage>(context, status ?? OAuthError.For(reason).Status, new() { [nameof(ErrorPage.Reason)] = reason })
            : context.WriteJsonAsync(reason, status);

    private static bool IsForPerson(HttpRequest request) =>
        request.GetTypedHeaders().Accept.Any(accept => accept.MediaType.Equals("text/html", StringComparison.OrdinalIgnoreCase));
}

/// <summary>RFC 6749 §5.2.</summary>
internal sealed record ErrorBody(
    [property: JsonPropertyName("error")] string Error,
    [property: JsonPropertyName("error_description")] string Description);

[JsonSerializable(typeof(ErrorBody))]
internal sealed partial class WireJson : JsonSerializerContext;
