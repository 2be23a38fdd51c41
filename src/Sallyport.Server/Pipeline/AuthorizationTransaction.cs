using System.Security.Cryptography;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http.Extensions;
using Sallyport.Proof.Events;
using Sallyport.Server.Configuration;

namespace Sallyport.Server.Pipeline;

/// <summary>
/// What a user signs in for, on its way through sign-in. It travels sealed in the pages' own address and forms, so that an unfinished one
/// costs the gate nothing, and several tabs are several transactions.
/// </summary>
[JsonDerivedType(typeof(AuthorizationTransaction), "authorization")]
[JsonDerivedType(typeof(AccountTransaction), "account")]
internal abstract record SignInTransaction
{
    public required string Id { get; init; }
    public required DateTimeOffset StartedAt { get; init; }
}

/// <summary>A user wants to see their account; no application asks for anything.</summary>
internal sealed record AccountTransaction : SignInTransaction;

/// <summary>An authorization request that was found good; it goes on through consent.</summary>
internal sealed record AuthorizationTransaction : SignInTransaction
{
    public required string ClientId { get; init; }
    public required string RedirectUri { get; init; }
    public required string CodeChallenge { get; init; }
    public required string Audience { get; init; }
    public required IReadOnlyList<string> Scopes { get; init; }
    public string? State { get; init; }
    /// <summary>The client wants the user to be asked, whatever is remembered (<c>prompt</c>, OpenID Connect Core §3.1.2.1).</summary>
    public bool IsPrompted { get; init; }
}

/// <summary>Seals and opens transactions: encrypted and authenticated with the gate's data-protection keys, good for ten minutes.</summary>
internal sealed class TransactionSeal(IDataProtectionProvider protection, GateConfiguration configuration, TimeProvider time)
{
    /// <summary>The query parameter and form field that carry a sealed transaction.</summary>
    public const string Field = "transaction";

    /// <summary>What is sealed is shown to nobody as text, so nothing in it has to be escaped sixfold.</summary>
    private static readonly TransactionJson s_json = new(new JsonSerializerOptions(TransactionJson.Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    private readonly IDataProtector _protector = protection.CreateProtector("Sallyport.SignInTransaction");

    public string Seal(SignInTransaction transaction) =>
        Microsoft.AspNetCore.WebUtilities.WebEncoders.Base64UrlEncode(
            _protector.Protect(JsonSerializer.SerializeToUtf8Bytes(transaction, s_json.SignInTransaction)));

    /// <summary>Where a user signs in.</summary>
    public string ToSignIn(SignInTransaction transaction) => "/signin" + QueryOf(transaction);

    /// <summary>Where a user goes on to, once they are signed in.</summary>
    public string AfterSignIn(SignInTransaction transaction) => transaction is AuthorizationTransaction ? "/consent" + QueryOf(transaction) : "/account";

    /// <summary>That of an authorization request; one of another kind is none.</summary>
    public (AuthorizationTransaction? Transaction, Reason? Fault) Open(string? sealedTransaction) => OpenAny(sealedTransaction) switch
    {
        (AccountTransaction, _) => (null, Reason.TransactionInvalid),
        var (transaction, fault) => ((AuthorizationTransaction?)transaction, fault),
    };

    public (SignInTransaction? Transaction, Reason? Fault) OpenAny(string? sealedTransaction)
    {
        if (string.IsNullOrEmpty(sealedTransaction))
            return (null, Reason.TransactionInvalid);
        SignInTransaction transaction;
        try
        {
            var opened = _protector.Unprotect(Microsoft.AspNetCore.WebUtilities.WebEncoders.Base64UrlDecode(sealedTransaction));
            transaction = JsonSerializer.Deserialize(opened, s_json.SignInTransaction)!;
        }
        catch (Exception exception) when (exception is CryptographicException or FormatException or JsonException)
        {
            return (null, Reason.TransactionInvalid);
        }
        // Nothing that somebody asked for gets old where nobody asks for anything.
        return transaction is AuthorizationTransaction && time.GetUtcNow() - transaction.StartedAt > configuration.TransactionLifetime
            ? (transaction, Reason.TransactionExpired)
            : (transaction, null);
    }

    private QueryBuilder QueryOf(SignInTransaction transaction) => new() { { Field, Seal(transaction) } };
}

[JsonSerializable(typeof(SignInTransaction))]
[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
internal sealed partial class TransactionJson : JsonSerializerContext;
