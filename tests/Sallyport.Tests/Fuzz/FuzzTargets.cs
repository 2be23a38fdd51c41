using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Sallyport.Proof.Journal;
using Sallyport.Server.Authorization.Register;
using Sallyport.Server.Gateway.Bridge;
using Sallyport.Server.Protocol;

namespace Sallyport.Tests.Fuzz;

/// <summary>
/// Every reader of bytes from outside, as a fuzzer calls it: any input is read or refused, and what was read keeps its promise. Each
/// throws where it does not.
/// </summary>
internal static class FuzzTargets
{
    private static readonly AccessTokenFormat s_tokens = new(new byte[AccessTokenFormat.KeyBytes]);

    /// <summary>What the gate judged of a message is what a strict reader of JSON finds in it.</summary>
    public static void McpMessageScan(byte[] input)
    {
        if (McpMessage.Scan(input, out var message) != McpScan.Message)
            return;
        using var document = JsonDocument.Parse(input);
        var root = document.RootElement;
        Require(root.EnumerateObject().Count(member => member.Name.Equals("method", StringComparison.OrdinalIgnoreCase)) <= 1, "one method");
        Require((root.TryGetProperty("method", out var method) ? method.GetString() : null) == message.Method, "the same method");
        Require(root.TryGetProperty("id", out var id) == (message.IdJson is not null || id.ValueKind == JsonValueKind.Null), "the same id");
        if (root.TryGetProperty("params", out var parameters) && parameters.ValueKind == JsonValueKind.Object
            && parameters.TryGetProperty("name", out var name) && name.ValueKind == JsonValueKind.String)
            Require(name.GetString() == message.Name, "the same name");
    }

    public static void JournalRecordRead(byte[] input)
    {
        if (JournalRecord.TryRead(input, out var leaf) != JournalReadResult.Record)
            return;
        var again = new byte[JournalRecord.SizeOf(leaf.Length)];
        JournalRecord.Write(leaf, again);
        Require(input.AsSpan(0, again.Length).SequenceEqual(again), "a record is the bytes that it would be written as");
    }

    public static void AuditEventRead(byte[] input)
    {
        try
        {
            AuditEventJson.Write(AuditEventJson.Read(input));
        }
        catch (JsonException)
        {
        }
    }

    public static void RegistrationRead(byte[] input)
    {
        var (request, fault) = RegistrationRequest.Read(input);
        Require(request is null == fault is not null, "a request or a fault");
        if (request is not null)
            Require(request.RedirectUris.All(uri => RedirectUri.Judge(uri) == RedirectUri.Judgement.Suitable), "suitable addresses only");
    }

    /// <summary>A target in normal form is one that a resolver leaves as it is.</summary>
    public static void RequestTargetNormal(byte[] input)
    {
        var target = Encoding.Latin1.GetString(input);
        if (!RequestTarget.IsNormal(target))
            return;
        var path = target.Split('?')[0];
        // Uri writes the hexadecimal digits of escapes in upper case; that is all that it may do.
        var upper = Regex.Replace(path, "%..", escape => escape.Value.ToUpperInvariant());
        Require(Regex.Replace(new Uri("http://host" + path).AbsolutePath, "%..", escape => escape.Value.ToUpperInvariant()) == upper, "nothing to resolve");
        Require(!Uri.UnescapeDataString(path).Split('/').Any(segment => segment is "." or ".."), "no dot segments when unescaped");
    }

    /// <summary>Two addresses match only where both are the same, or both are loopback and differ in the port.</summary>
    public static void RedirectUriMatch(byte[] input)
    {
        var halves = Encoding.Latin1.GetString(input).Split('\n', 2);
        var (registered, requested) = (halves[0], halves[^1]);
        RedirectUri.Judge(requested);
        if (RedirectUri.Judge(registered) != RedirectUri.Judgement.Suitable || !RedirectUri.Matches(registered, requested) || registered == requested)
            return;
        var (first, second) = (new Uri(registered), new Uri(requested));
        Require(first.Scheme == "http" && second.Scheme == "http" && RedirectUri.IsLoopbackHost(second), "loopback only");
        Require(first.Host == second.Host && first.PathAndQuery == second.PathAndQuery && second.UserInfo.Length == 0, "nothing but the port");
    }

    public static void ResourceUriCanonical(byte[] input)
    {
        if (ResourceUri.Canonical(Encoding.Latin1.GetString(input)) is { } canonical)
            Require(ResourceUri.Canonical(canonical) == canonical, "canonical for good");
    }

    public static void ScopeParse(byte[] input)
    {
        if (Scope.Parse(Encoding.Latin1.GetString(input)) is { } scopes)
            Require(scopes.All(scope => scope is Scope.Mcp or Scope.OfflineAccess), "known scopes only");
    }

    public static void AccessTokenRead(byte[] input) =>
        Require(s_tokens.Read(Encoding.Latin1.GetString(input), out _) != AccessTokenReading.Authentic, "no token out of nothing");

    private static void Require(bool holds, string what)
    {
        if (!holds)
            throw new InvalidOperationException($"It does not hold: {what}");
    }
}
