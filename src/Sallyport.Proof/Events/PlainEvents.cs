namespace Sallyport.Proof.Events;

/// <summary>
/// Reads by hand the events that nearly all of a log are, in the form that a gate writes them: what the serializer, to which a test holds it, makes
/// of the same bytes, in a quarter of the time. What has another form, good or bad, is left to the serializer.
/// </summary>
internal static class PlainEvents
{
    /// <returns>Null for every other event, and for every other form of these.</returns>
    public static AuditEvent? Read(ReadOnlySpan<byte> leaf)
    {
        var json = new PlainJson(leaf);
        AuditEvent? read =
            leaf.StartsWith("{\"type\":\"access.allowed\""u8) ? ReadAllowed(ref json)
            : leaf.StartsWith("{\"type\":\"access.outcome\""u8) ? ReadOutcome(ref json)
            : leaf.StartsWith("{\"type\":\"access.refused\""u8) ? ReadRefused(ref json)
            : null;
        return json.IsAtEnd ? read : null;
    }

    private static AccessAllowed ReadAllowed(ref PlainJson json) => new()
    {
        Id = json.Text("{\"type\":\"access.allowed\",\"id\":\""u8),
        Time = json.Time(",\"time\":"u8),
        Elapsed = json.Number(",\"elapsed\":"u8),
        Token = json.Text(",\"token\":\""u8),
        Subject = json.Text(",\"subject\":\""u8),
        Client = json.Text(",\"client\":\""u8),
        Audience = json.Text(",\"audience\":\""u8),
        AsOf = json.Number(",\"as_of\":"u8),
        ScopesNeeded = json.Texts(",\"scopes_needed\":["u8),
        Transport = json.Text(",\"transport\":\""u8),
        HttpMethod = json.Text(",\"http_method\":\""u8),
        Method = json.TextIfAny(",\"method\":\""u8),
        Name = json.TextIfAny(",\"name\":\""u8),
        Session = json.TextIfAny(",\"session\":\""u8),
        Source = json.TextIfAny(",\"source\":\""u8),
    };

    private static AccessOutcome ReadOutcome(ref PlainJson json) => new()
    {
        Id = json.Text("{\"type\":\"access.outcome\",\"id\":\""u8),
        Time = json.Time(",\"time\":"u8),
        Elapsed = json.Number(",\"elapsed\":"u8),
        Forwarded = json.Texts(",\"forwarded\":["u8),
        NotForwarded = json.Failures(",\"not_forwarded\":["u8),
        Unanswered = json.Failures(",\"unanswered\":["u8),
        StreamsEnded = json.TextsIfAny(",\"streams_ended\":["u8),
    };

    private static AccessRefused ReadRefused(ref PlainJson json) => new()
    {
        Id = json.Text("{\"type\":\"access.refused\",\"id\":\""u8),
        Time = json.Time(",\"time\":"u8),
        Elapsed = json.Number(",\"elapsed\":"u8),
        Reason = json.Reason(",\"reason\":\""u8),
        HttpMethod = json.Text(",\"http_method\":\""u8),
        Path = json.Text(",\"path\":\""u8),
        Status = (int)json.Number(",\"status\":"u8, most: int.MaxValue),
        Token = json.TextIfAny(",\"token\":\""u8),
        Subject = json.TextIfAny(",\"subject\":\""u8),
        Client = json.TextIfAny(",\"client\":\""u8),
        Session = json.TextIfAny(",\"session\":\""u8),
        Source = json.TextIfAny(",\"source\":\""u8),
    };
}
