using System.Text;

namespace Sallyport.Proof.Import;

/// <summary>What a member of a log line in JSON means.</summary>
internal enum JsonMember
{
    Unknown,
    Method,

    /// <summary>With the query, or without.</summary>
    Target,

    Query,

    /// <summary>The request line as a whole; or, as an object, what is known of the request.</summary>
    Request,

    Status,
    Time,
    Address,
    Agent,

    /// <summary>The Authorization header, redacted or not.</summary>
    Credential,

    /// <summary>Something else that a client may be known by.</summary>
    OtherCredential,

    /// <summary>What a server says, in words; or a line that was wrapped.</summary>
    Text,

    /// <summary>An object whose members count as the line's own.</summary>
    Container,

    /// <summary>An object with the request's headers.</summary>
    Headers,
}

/// <summary>
/// The names that servers give them. nginx has what its operator wrote, which is most often its own variables; Envoy's are those of its documentation, which Istio uses too; C is Cloudflare,
/// T Traefik, A ASP.NET Core and Serilog. Upper and lower case count: Traefik and ASP.NET Core log headers, whose names are the client's, beside members of their own.
/// </summary>
internal static class JsonMembers
{
    private static readonly (byte[] Name, JsonMember Member)[][] s_byLength = Table(
        (JsonMember.Method, "request_method method RequestMethod Method ClientRequestMethod"),
        (JsonMember.Target, "request_uri uri path RequestPath Path ClientRequestURI ClientRequestPath"),
        (JsonMember.Query, "args query_string QueryString"),
        (JsonMember.Request, "request"),
        (JsonMember.Status, "status response_code DownstreamStatus StatusCode EdgeResponseStatus"),
        (JsonMember.Time, "time_iso8601 time_local msec time timestamp @timestamp ts start_time StartUTC @t Timestamp EdgeStartTimestamp"),
        (JsonMember.Address, "remote_addr remote_ip client_ip downstream_remote_address ClientAddr ClientHost ClientIP"),
        (JsonMember.Agent, "http_user_agent user_agent request_User-Agent User-Agent ClientRequestUserAgent"),
        (JsonMember.Credential, "http_authorization authorization Authorization request_Authorization"),
        (JsonMember.OtherCredential, "http_cookie cookie Cookie request_Cookie http_x_api_key x-api-key X-Api-Key request_X-Api-Key"),
        (JsonMember.Text, "log message Message msg @m"),
        (JsonMember.Container, "State Properties"),
        (JsonMember.Headers, "headers RequestHeaders"));

    public static JsonMember Of(ReadOnlySpan<byte> name)
    {
        if (name.Length >= s_byLength.Length)
            return JsonMember.Unknown;
        foreach (var (known, member) in s_byLength[name.Length])
        {
            if (name.SequenceEqual(known))
                return member;
        }
        return JsonMember.Unknown;
    }

    private static (byte[] Name, JsonMember Member)[][] Table(params (JsonMember Member, string Names)[] rows)
    {
        var names = rows.SelectMany(row => row.Names.Split(' ').Select(name => (Encoding.UTF8.GetBytes(name), row.Member))).ToArray();
        return [.. Enumerable.Range(0, names.Max(name => name.Item1.Length) + 1).Select(length => names.Where(name => name.Item1.Length == length).ToArray())];
    }
}
