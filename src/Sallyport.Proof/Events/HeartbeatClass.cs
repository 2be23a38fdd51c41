using System.Text.Json.Serialization;

namespace Sallyport.Proof.Events;

/// <summary>What is wrong with a request that the gate sends itself. docs/claims.md has the answer that is due to each.</summary>
public enum HeartbeatClass
{
    /// <summary>No token.</summary>
    [JsonStringEnumMemberName("none")] None,
    /// <summary>What is no token of any form.</summary>
    [JsonStringEnumMemberName("malformed")] Malformed,
    /// <summary>A token that the gate's key made, and nobody was given.</summary>
    [JsonStringEnumMemberName("unknown")] Unknown,
    /// <summary>A token whose MAC is wrong.</summary>
    [JsonStringEnumMemberName("forged")] Forged,
    /// <summary>A token in the query instead of the header.</summary>
    [JsonStringEnumMemberName("in_query")] InQuery,
    /// <summary>A JWT without a signature.</summary>
    [JsonStringEnumMemberName("jwt_alg_none")] JwtAlgNone,
    /// <summary>A JWT that another key signed.</summary>
    [JsonStringEnumMemberName("jwt_wrong_key")] JwtWrongKey,
    /// <summary>As if by a page of another origin.</summary>
    [JsonStringEnumMemberName("origin_foreign")] OriginForeign,
    /// <summary>Under a host name that is not the gate's.</summary>
    [JsonStringEnumMemberName("host_wrong")] HostWrong,
}
