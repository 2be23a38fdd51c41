namespace Sallyport.Server.Protocol;

/// <summary>Access tokens of either form: opaque ones, and those that other servers check.</summary>
/// <param name="opaque">The form of most.</param>
/// <param name="jwt">Null where no resource asks for such: then none is even looked into.</param>
internal sealed class AccessTokens(AccessTokenFormat opaque, JwtFormat? jwt)
{
    /// <summary>What a text is, and the id under which the stored state knows it where it is authentic.</summary>
    public ValueTask<(AccessTokenReading Reading, string Id)> ReadAsync(ReadOnlySpan<char> text)
    {
        var reading = opaque.Read(text, out var id);
        return reading == AccessTokenReading.Malformed && jwt is not null && text.StartsWith(JwtFormat.Beginning, StringComparison.Ordinal)
            ? jwt.ReadAsync(text.ToString())
            : new((reading, id));
    }
}
