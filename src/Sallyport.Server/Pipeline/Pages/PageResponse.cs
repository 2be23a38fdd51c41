using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Sallyport.Server.Pipeline.Pages;

/// <summary>A page, with the headers that every page has.</summary>
internal static class PageResponse
{
    /// <summary>
    /// Nothing but the page's own style, in no frame. There is no form-action: Chromium applies it to the whole chain of redirects
    /// after a form, and ours end at the client's address.
    /// </summary>
    private static readonly string s_contentSecurityPolicy =
        $"default-src 'none'; style-src {PageStyle.Hash}; frame-ancestors 'none'; base-uri 'none'";

    public static Task WriteAsync<TPage>(HttpContext context, int status, Dictionary<string, object?> parameters) where TPage : IComponent
    {
        var headers = context.Response.Headers;
        headers.ContentSecurityPolicy = s_contentSecurityPolicy;
        headers.XFrameOptions = "DENY";
        // With no-referrer Chromium would post the forms with Origin: null.
        headers["Referrer-Policy"] = "same-origin";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        context.Response.OnStarting(static state =>
        {
            // For Blazor's own script, which there is none of.
            ((HttpResponse)state).Headers.Remove("blazor-enhanced-nav");
            return Task.CompletedTask;
        }, context.Response);
        return new RazorComponentResult<TPage>(parameters) { StatusCode = status, PreventStreamingRendering = true }.ExecuteAsync(context);
    }
}
