using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Http;
using Sallyport.Proof.Events;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Pipeline;

/// <summary>The forms of our own pages: they carry a token that only a page opened in the same browser has.</summary>
internal sealed class PageForm(IAntiforgery antiforgery)
{
    public const string TokenField = "antiforgery";

    /// <summary>The token for a page that is about to be shown; its cookie goes with the answer.</summary>
    public string TokenFor(HttpContext context) => antiforgery.GetAndStoreTokens(context).RequestToken!;

    public async Task<(RequestForm? Form, Reason? Fault)> ReadAsync(HttpContext context)
    {
        var (form, fault) = await RequestForm.ReadAsync(context, Limits.PageFormBytes);
        if (form is null)
            return (null, fault);
        return await antiforgery.IsRequestValidAsync(context) ? (form, null) : (null, Reason.AntiforgeryInvalid);
    }
}
