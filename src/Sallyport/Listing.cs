using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Sallyport.Log;
using Sallyport.Proof;
using Sallyport.Server.Storage;

namespace Sallyport;

/// <summary>
/// What commands print of users, clients and grants: a table for people, and for programs one JSON object a line (docs/operating.md).
/// Names in it may come from anybody: either is in printable ASCII.
/// </summary>
internal static class Listing
{
    /// <summary>All that there is of a kind.</summary>
    /// <param name="none">What to say where there is nothing.</param>
    public static void WriteAll<T>(ParseResult parsed, IReadOnlyList<T> listed, JsonTypeInfo<T> type, IReadOnlyList<string> headings, Func<T, IReadOnlyList<string>> row, string none)
    {
        if (listed.Count == 0)
        {
            Console.Error.WriteLine(none);
            return;
        }
        if (!parsed.GetValue(CommandLine.Json))
        {
            WriteTable(headings, listed.Select(row));
            return;
        }
        foreach (var one in listed)
            WriteJson(one, type);
    }

    private static void WriteTable(IReadOnlyList<string> headings, IEnumerable<IReadOnlyList<string>> rows)
    {
        IReadOnlyList<IReadOnlyList<string>> lines = [headings, .. rows.Select(row => row.Select(cell => cell.ToPrintable()).ToList())];
        var widths = headings.Select((_, column) => lines.Max(line => line[column].Length)).ToList();
        foreach (var line in lines)
            Console.Out.WriteLine(string.Join("  ", line.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd());
    }

    /// <summary>What came of one act.</summary>
    public static void Write<T>(ParseResult parsed, T value, JsonTypeInfo<T> type, params IEnumerable<string?> lines)
    {
        if (parsed.GetValue(CommandLine.Json))
            WriteJson(value, type);
        else
            Console.Out.WriteLine(string.Join(Environment.NewLine, lines.OfType<string>()));
    }

    private static void WriteJson<T>(T value, JsonTypeInfo<T> type) => Console.Out.WriteLine(JsonSerializer.Serialize(value, type));

    /// <summary>For people, in UTC.</summary>
    public static string Time(DateTime? time) => time?.ToString("yyyy-MM-dd HH:mm'Z'", CultureInfo.InvariantCulture) ?? "-";
}

internal sealed record ListedUser(string Subject, string? Name, string State, bool Operator, string? Provider, string? ProviderSubject, DateTime? DisabledAt)
{
    public static ListedUser Of(Account account) => new(
        account.Subject, account.Name, account.IsRemoved ? "removed" : account.DisabledAt is null ? "active" : "disabled",
        account.IsOperator, account.Provider, account.ProviderSubject, account.DisabledAt?.UtcDateTime);
}

/// <summary>In the words of RFC 7591, where it has some.</summary>
internal sealed record ListedClient(
    string ClientId, string? ClientName, string TokenEndpointAuthMethod, IReadOnlyList<string> RedirectUris, IReadOnlyList<string> GrantTypes,
    bool ResourceServer, bool AddedByOperator, DateTime CreatedAt, DateTime? RepeatedAt, DateTime? DisabledAt)
{
    public static ListedClient Of(Client client) => new(
        client.Id, client.Name, client.AuthMethod, client.RedirectUris, client.GrantTypes,
        client.IsResourceServer, client.AddedByOperator, client.CreatedAt.UtcDateTime, client.RepeatedAt?.UtcDateTime, client.DisabledAt?.UtcDateTime);

    [JsonIgnore]
    public string Kind => ResourceServer ? "resource server" : TokenEndpointAuthMethod == "none" ? "public" : "confidential";

    [JsonIgnore]
    public string State => DisabledAt is null ? "active" : "disabled";

    [JsonIgnore]
    public string Origin => AddedByOperator ? "operator" : "registration";
}

internal sealed record ListedGrant(
    string Grant, string Subject, string? UserName, string ClientId, string? ClientName, string Resource, string Scope, string RedirectUri,
    DateTime IssuedAt, DateTime? LastUsedAt, DateTime ExpiresAt, DateTime? RememberedUntil)
{
    public static ListedGrant Of(LiveGrant grant) => new(
        grant.Id, grant.Subject, grant.UserName, grant.Client, grant.ClientName, grant.Audience, grant.Scope, grant.RedirectUri,
        grant.CreatedAt.UtcDateTime, grant.LastUsedAt?.UtcDateTime, grant.ExpiresAt.UtcDateTime, grant.RememberedUntil?.UtcDateTime);
}

/// <summary>Whom a command acted upon.</summary>
internal sealed record ActedUser(string Subject);

/// <summary>A client that was added; the secret is not to be had again. Null for a public client.</summary>
internal sealed record NewCredentials(string ClientId, string? ClientSecret);

/// <summary>A client that is no more.</summary>
internal sealed record ActedClient(string ClientId);

/// <summary>A grant that has ended.</summary>
internal sealed record RevokedGrant(string Grant);

[JsonSerializable(typeof(ListedUser))]
[JsonSerializable(typeof(ListedClient))]
[JsonSerializable(typeof(ListedGrant))]
[JsonSerializable(typeof(ActedUser))]
[JsonSerializable(typeof(NewCredentials))]
[JsonSerializable(typeof(ActedClient))]
[JsonSerializable(typeof(RevokedGrant))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
internal sealed partial class ListingJson : JsonSerializerContext;
