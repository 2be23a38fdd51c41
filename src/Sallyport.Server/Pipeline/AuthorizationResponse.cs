using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Sallyport.Proof.Events;
using Sallyport.Server.Configuration;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Pipeline;

/// <summary>The redirect back to the client: with <c>state</c> as it came, <c>iss</c> (RFC 9207), and no trace in a Referer.</summary>
internal sealed class AuthorizationResponse(GateConfiguration configuration)
{
    public void Code(HttpContext context, AuthorizationTransaction transaction, string code) =>
        Redirect(context, transaction.RedirectUri, transaction.State, [new("code", code)]);

    public void Error(HttpContext context, string redirectUri, string? state, Reason reason)
    {
        var error = OAuthError.For(reason);
        Redirect(context, redirectUri, state, [new("error", error.Code), new("error_description", error.Description)]);
    }

    public void Denied(HttpContext context, AuthorizationTransaction transaction) =>
        Redirect(context, transaction.RedirectUri, transaction.State,
            [new("error", "access_denied"), new("error_description", "The user denied the request.")]);

    private void Redirect(HttpContext context, string redirectUri, string? state, IEnumerable<KeyValuePair<string, string?>> parameters)
    {
        if (state is not null)
            parameters = parameters.Append(new("state", state));
        context.Response.Headers["Referrer-Policy"] = "no-referrer";
        context.Response.StatusCode = StatusCodes.Status302Found;
        context.Response.Headers.Location = QueryHelpers.AddQueryString(redirectUri, parameters.Append(new("iss", configuration.PublicUrl)));
    }
}
