using System.Security.Cryptography;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.DataProtection;
using Sallyport.Proof.Events;
using Sallyport.Server.Configuration;

namespace Sallyport.Server.Pipeline;

/// <summary>
/// An authorization request that was found good, on its way through sign-in and consent. It travels sealed in the pages' own
/// address and forms, so that an unfinished one costs the gate nothing, and several tabs are several transactions.
/// </summary>
internal sealed record AuthorizationTransaction
{
    public required string Id { get; init; }
    public required string ClientId { get; init; }
    public required string RedirectUri { get; init; }
    public required string CodeChallenge { get; init; }
    public required string Audience { get; init; }
    public required IReadOnlyList<string> Scopes { get; init; }
    public string? State { get; init; }
    public required DateTimeOffset StartedAt { get; init; }
}

/// <summary>Seals and opens transactions: encrypted and authenticated with the gate's data-protection keys, good for ten minutes.</summary>
internal sealed class TransactionSeal(IDataProtectionProvider protection, GateConfiguration configuration, TimeProvider time)
{
    /// <summary>The query parameter and form field that carry a sealed transaction.</summary>
    public const string Field = "transaction";

    /// <summary>What is sealed is shown to nobody as text, so nothing in it has to be escaped sixfold.</summary>
    private static readonly TransactionJson s_json = new(new JsonSerializerOptions(TransactionJson.Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    private readonly IDataProtector _protector = protection.CreateProtector("Sallyport.AuthorizationTransaction");

    public string Seal(AuthorizationTransaction transaction) =>
        Microsoft.AspNetCore.WebUtilities.WebEncoders.Base64UrlEncode(
            _protector.Protect(JsonSerializer.SerializeToUtf8Bytes(transaction, s_json.AuthorizationTransaction)));

    public (AuthorizationTransaction? Transaction, Reason? Fault) Open(string? sealedTransaction)
    {
        if (string.IsNullOrEmpty(sealedTransaction))
            return (null, Reason.TransactionInvalid);
        AuthorizationTransaction transaction;
        try
        {
            var opened = _protector.Unprotect(Microsoft.AspNetCore.WebUtilities.WebEncoders.Base64UrlDecode(sealedTransaction));
            transaction = JsonSerializer.Deserialize(opened, s_json.AuthorizationTransaction)!;
        }
        catch (Exception exception) when (exception is CryptographicException or FormatException or JsonException)
        {
            return (null, Reason.TransactionInvalid);
        }
        return time.GetUtcNow() - transaction.StartedAt > configuration.TransactionLifetime
            ? (transaction, Reason.TransactionExpired)
            : (transaction, null);
    }
}

[JsonSerializable(typeof(AuthorizationTransaction))]
[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
internal sealed partial class TransactionJson : JsonSerializerContext;
