using Sallyport.Proof.Events;

namespace Sallyport.Server.Pipeline.Providers;

/// <summary>What OpenIddict found wrong, in our words. It names each of its errors by an address that ends in a number.</summary>
internal static class ProviderFaults
{
    /// <summary>Of our own check among OpenIddict's.</summary>
    public const string IssuerMismatch = "sallyport:issuer";

    public static ProviderException Explain(string? errorUri, string? description, BackChannel.Conversation conversation)
    {
        var number = errorUri?[(errorUri.LastIndexOf('/') + 1)..];
        // The answer itself did not come, or not as it should: that says more.
        if (number is "ID2136" or "ID2143" or "ID2170" or null && conversation.Fault is { } fault)
            return fault;
        return new(ReasonOf(number, description ?? ""), $"OpenIddict {number}: {description}");
    }

    private static Reason ReasonOf(string? number, string description) => number switch
    {
        IssuerMismatch or "ID2088" or "ID2098" or "ID2119" or "ID2120" or "ID2165" => Reason.ProviderIssuerMismatch,
        "ID2029" when Names(description, "iss") => Reason.ProviderIssuerMismatch,
        "ID2029" or "ID2000" => Reason.ProviderTokenMissing,
        "ID2090" or "ID2091" => Reason.ProviderSignatureInvalid,
        "ID2019" => Reason.ProviderTokenExpired,
        "ID2127" => Reason.ProviderAudienceMismatch,
        "ID2128" or "ID2126" or "ID2125" when Names(description, "nonce") => Reason.ProviderNonceMismatch,
        "ID2126" or "ID2125" when Names(description, "sub") => Reason.ProviderSubjectInvalid,
        "ID2132" or "ID2133" when Names(description, "sub") => Reason.ProviderSubjectMismatch,
        "ID2144" or "ID2145" or "ID2147" or "ID2148" or "ID2161" => Reason.ProviderRefused,
        "ID2136" => Reason.ProviderUnreachable,
        "ID2149" => Reason.ProviderDenied,
        "ID2150" or "ID2151" or "ID2152" or "ID2153" or "ID2154" or "ID2155" or "ID2156" or "ID2157" or "ID2158" or "ID2159" or "ID2160" => Reason.ProviderError,
        "ID2096" or "ID2097" or "ID2099" or "ID2100" or "ID2102" or "ID2103" or "ID2104" or "ID2107" or "ID2137" or "ID2143" or "ID2162" or "ID2170" => Reason.ProviderAnswerInvalid,
        _ => Reason.ProviderTokenInvalid,
    };

    private static bool Names(string description, string claim) => description.Contains($"'{claim}'", StringComparison.Ordinal);
}
