using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Primitives;
using Sallyport.Proof.Events;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Pipeline;

/// <summary>
/// The parameters of a request, each at most once (RFC 6749 §3.1, §3.2) unless it may repeat; an empty one counts as left out.
/// </summary>
internal sealed class RequestForm
{
    private readonly Dictionary<string, StringValues> _values;

    private RequestForm(Dictionary<string, StringValues> values) => _values = values;

    public string? this[string name] => _values.TryGetValue(name, out var values) && values[0] is { Length: > 0 } value ? value : null;

    public IEnumerable<string> All(string name) =>
        _values.TryGetValue(name, out var values) ? values.OfType<string>().Where(value => value.Length > 0) : [];

    public bool Repeats(string name) => _values.TryGetValue(name, out var values) && values.Count > 1;

    /// <summary>Whether any parameter is repeated, but for those named.</summary>
    public bool RepeatsAnyBut(string mayRepeat) => _values.Any(pair => pair.Value.Count > 1 && pair.Key != mayRepeat);

    public static (RequestForm? Form, Reason? Fault) FromQuery(HttpRequest request) =>
        request.Query.Count > Limits.ParametersPerRequest
            ? (null, Reason.ParameterTooLong)
            : (new(request.Query.ToDictionary(pair => pair.Key, pair => pair.Value, StringComparer.Ordinal)), null);

    /// <summary>As <see cref="ReadAsync"/>, leaving it to the caller which parameters may repeat.</summary>
    public static Task<(RequestForm? Form, Reason? Fault)> ReadRepeatableAsync(HttpContext context, int limit) =>
        ReadBodyAsync(context, limit);

    /// <summary>
    /// Reads a form body: <c>application/x-www-form-urlencoded</c> in UTF-8, at most <paramref name="limit"/> bytes, at most 64
    /// parameters, and none in the query.
    /// </summary>
    public static async Task<(RequestForm? Form, Reason? Fault)> ReadAsync(HttpContext context, int limit, string mayRepeat = "")
    {
        var (form, fault) = await ReadBodyAsync(context, limit);
        return form is not null && form.RepeatsAnyBut(mayRepeat) ? (null, Reason.ParameterRepeated) : (form, fault);
    }

    private static async Task<(RequestForm? Form, Reason? Fault)> ReadBodyAsync(HttpContext context, int limit)
    {
        var request = context.Request;
        if (RequestBody.TypeOf(request, "application/x-www-form-urlencoded") is not { } type
            || (type.Charset.HasValue && !type.Charset.Equals("utf-8", StringComparison.OrdinalIgnoreCase)))
            return (null, Reason.ContentTypeUnsupported);
        if (request.QueryString.HasValue && request.Query.Count > 0)
            return (null, Reason.ParameterInQuery);
        var body = await RequestBody.ReadAsync(context, limit);
        if (body is null)
            return (null, Reason.BodyTooLarge);

        Dictionary<string, StringValues> values;
        try
        {
            using var reader = new FormReader(new MemoryStream(body), new UTF8Encoding(false, throwOnInvalidBytes: true)) { ValueCountLimit = Limits.ParametersPerRequest };
            values = await reader.ReadFormAsync(context.RequestAborted);
        }
        catch (Exception exception) when (exception is InvalidDataException or DecoderFallbackException)
        {
            return (null, Reason.BodyMalformed);
        }
        // For the anti-forgery check, which looks here.
        request.Form = new FormCollection(values);
        // FormReader folds case; a second spelling of a name is a repetition all the same.
        return (new RequestForm(new(values, StringComparer.Ordinal)), null);
    }
}
