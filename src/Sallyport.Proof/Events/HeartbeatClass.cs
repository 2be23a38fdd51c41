using System.Text.Json.Serialization;

namespace Sallyport.Proof.Events;

/// <summary>What is wrong with a request that the gate sends itself, and the one with which nothing is. docs/claims.md has the answer that is due to each.</summary>
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
    /// <summary>A token that has expired.</summary>
    [JsonStringEnumMemberName("expired")] Expired,
    /// <summary>A token that was revoked.</summary>
    [JsonStringEnumMemberName("revoked")] Revoked,
    /// <summary>A token for another resource.</summary>
    [JsonStringEnumMemberName("wrong_audience")] WrongAudience,
    /// <summary>A token without the scope that is needed.</summary>
    [JsonStringEnumMemberName("wrong_scope")] WrongScope,
    /// <summary>A good token, which the gate itself answers: that the others are refused is not because everything is.</summary>
    [JsonStringEnumMemberName("good")] Good,
    /// <summary>A good token, with the session of another user.</summary>
    [JsonStringEnumMemberName("anothers_session")] AnothersSession,
}
