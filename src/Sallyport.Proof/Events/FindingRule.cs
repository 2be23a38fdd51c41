using System.Text.Json.Serialization;

namespace Sallyport.Proof.Events;

/// <summary>What a finding is of: a closed set. docs/findings.md has the thresholds, what may be innocent about each, and what to do.</summary>
public enum FindingRule
{
    /// <summary>Many requests were refused within minutes: from one source, or from all together.</summary>
    [JsonStringEnumMemberName("refusal_flood")] RefusalFlood,
    /// <summary>A code or a refresh token that was used up was presented again.</summary>
    [JsonStringEnumMemberName("reuse")] Reuse,
    /// <summary>Many clients registered within minutes: from one source, or from all together.</summary>
    [JsonStringEnumMemberName("registration_flood")] RegistrationFlood,
    /// <summary>What one user has allowed one client was used to and fro from networks far from each other.</summary>
    [JsonStringEnumMemberName("distant_networks")] DistantNetworks,
    /// <summary>One caller asked for sessions that are another's, or that there are not.</summary>
    [JsonStringEnumMemberName("session_probing")] SessionProbing,
    /// <summary>A client calls tools far more often than it ever did.</summary>
    [JsonStringEnumMemberName("client_growth")] ClientGrowth,
    /// <summary>A tool is called far more often than it ever was.</summary>
    [JsonStringEnumMemberName("tool_growth")] ToolGrowth,
    /// <summary>A client presents a token again and again that has expired, and gets no other.</summary>
    [JsonStringEnumMemberName("expired_replay")] ExpiredReplay,
    /// <summary>A client comes to a step of its way in, again and again, and never beyond.</summary>
    [JsonStringEnumMemberName("broken_funnel")] BrokenFunnel,
    /// <summary>A client does not make its PKCE challenge anew.</summary>
    [JsonStringEnumMemberName("constant_challenge")] ConstantChallenge,
}
