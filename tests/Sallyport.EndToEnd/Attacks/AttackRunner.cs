using System.Text.Json;
using Microsoft.AspNetCore.WebUtilities;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;

namespace Sallyport.EndToEnd.Attacks;

/// <summary>Does a case's steps one after another against a gate that does nothing else, and judges each answer and what it left in the log.</summary>
internal sealed class AttackRunner(CountingServer upstream, JournalFollower log, Attacker attacker, bool isBehindNginx)
{
    /// <summary>The reasons that were asked for and found.</summary>
    public List<string> Reasons { get; } = [];

    public async Task RunAsync(AttackCase attackCase)
    {
        await attacker.SetUpAsync(attackCase.Setup);
        foreach (var step in attackCase.Steps)
        {
            var fastest = TimeSpan.MaxValue;
            foreach (var each in Enumerable.Repeat(step.Each, step.Times).SelectMany(values => values))
            {
                attacker.Know("each", attacker.Expand(each));
                var took = await DoAsync(step, each);
                fastest = took < fastest ? took : fastest;
            }
            if (step.Within is { } limit && fastest > TimeSpan.FromMilliseconds(limit))
                throw new InvalidOperationException($"{step.Request ?? step.Send?[..40]}: the fastest answer took {fastest.TotalMilliseconds:0} ms, where {limit} are allowed");
        }
    }

    /// <returns>How long the answer took.</returns>
    private async Task<TimeSpan> DoAsync(AttackStep step, string each)
    {
        log.ReadNew();
        var bytes = upstream.Bytes;
        var began = TimeProvider.System.GetTimestamp();
        var answer = await attacker.SendAsync(step);
        var took = TimeProvider.System.GetElapsedTime(began);
        var what = $"{step.Request ?? step.Send} {string.Join(' ', step.Set.Select(parameter => $"{parameter.Key}={parameter.Value}"))} {each}".Trim();
        List<AuditEvent> events = [.. log.ReadNew().Select(leaf => leaf.Event)];
        try
        {
            // What a proxy refuses by itself is refused: the gate has not seen it. What became of an access before it may come meanwhile.
            if (isBehindNginx && step.IsRefusal && IsNginxs(answer) && events.TrueForAll(each => each is AccessOutcome or CheckpointSigned))
                return took;
            JudgeAnswer(step, answer);
            JudgeLog(step, answer, events);
            if (step.IsRefusal)
                Assert.Equal(bytes, upstream.Bytes);
        }
        catch (Exception exception) when (exception is Xunit.Sdk.IAssertionException)
        {
            throw new InvalidOperationException($"{what}: {exception.Message}\nThe log has {string.Join(", ", events.Select(Describe))}\n{answer.Status} {string.Join("; ", answer.Headers)}\n{answer.Body}", exception);
        }
        foreach (var (name, from) in step.Keep)
            attacker.Know(name, attacker.Find(answer, from) ?? throw new InvalidOperationException($"{what}: no {from} in {answer}"));
        return took;
    }

    private static bool IsNginxs(RawAnswer answer) => answer.Status is >= 400 and < 500 && answer.Body.Contains("<center>nginx", StringComparison.Ordinal);

    private void JudgeAnswer(AttackStep step, RawAnswer answer)
    {
        Assert.Equal(step.Status, answer.Status);
        Assert.True(answer.Status < 500);
        if (!step.ByServer && !step.Cacheable)
            Assert.Contains("no-store", answer["Cache-Control"] ?? "", StringComparison.Ordinal);
        if (answer["Location"] is { } location && location.StartsWith(attacker["redirect"], StringComparison.Ordinal))
            JudgeRedirect(step, QueryHelpers.ParseQuery(location[attacker["redirect"].Length..]).ToDictionary(pair => pair.Key, pair => pair.Value.ToString()));
        else if (step.IsRefusal && !step.Answer.ContainsKey("Location"))
            Assert.Null(answer["Location"]);
        if (answer.Status >= 400 && step.Error is not null)
            Assert.Equal(step.Error, JsonDocument.Parse(answer.Body).RootElement.GetProperty("error").GetString());
        if (answer.Status < 400 && step.Error is not null)
            Assert.StartsWith(attacker["redirect"], answer["Location"], StringComparison.Ordinal);

        foreach (var (name, value) in step.Answer)
        {
            if (value is null)
                Assert.Null(answer[name]);
            else if (value.StartsWith('~'))
                Assert.Contains(attacker.Expand(value[1..]), answer[name] ?? "", StringComparison.Ordinal);
            else
                Assert.Equal(attacker.Expand(value), answer[name]);
        }
        foreach (var (name, value) in step.Json)
        {
            var (expected, found) = (JsonDocument.Parse(attacker.Expand(value.GetRawText())).RootElement, JsonDocument.Parse(answer.Body).RootElement.TryGetProperty(name, out var member) ? member : default);
            Assert.True(expected.ValueKind == JsonValueKind.Null ? found.ValueKind == JsonValueKind.Undefined : JsonElement.DeepEquals(expected, found), $"{name} is {found}");
        }
        Assert.All(step.Contains, text => Assert.Contains(attacker.Expand(text), answer.Body, StringComparison.Ordinal));
        Assert.All(step.Lacks, text => Assert.DoesNotContain(attacker.Expand(text), answer.Body, StringComparison.Ordinal));
    }

    /// <summary>What goes to the client names who answers (RFC 9207), gives its state back as it came, and leaves no trace in a Referer.</summary>
    private void JudgeRedirect(AttackStep step, Dictionary<string, string> response)
    {
        Assert.InRange(step.Status, 302, 303);
        Assert.Equal(attacker["origin"], response["iss"]);
        Assert.Equal(attacker.Expand(step.State), response.GetValueOrDefault("state", ""));
        Assert.Equal(step.Error, response.GetValueOrDefault("error"));
        Assert.Equal(step.Error is null, response.ContainsKey("code"));
    }

    /// <summary>A refusal is one event, the one that the answer names, with its reason.</summary>
    private void JudgeLog(AttackStep step, RawAnswer answer, IReadOnlyList<AuditEvent> events)
    {
        var found = events.Select(e => (e.Id, Entry: Describe(e))).ToList();
        var entries = $"The log has {string.Join(", ", found.Select(e => e.Entry))}";
        Assert.True(step.IsRefusal ? step.ByServer || step.Reason is not null || step.Event is not null : step.Reason is null, "A refusal has a reason, and nothing else has one");
        var refusals = found.Where(e => e.Entry.Contains(".refused ", StringComparison.Ordinal) || e.Entry.StartsWith("requests.limited ", StringComparison.Ordinal)).ToList();
        if (step.Reason is not null)
        {
            Assert.True(refusals is [var single] && single.Entry.EndsWith(" " + step.Reason, StringComparison.Ordinal), entries);
            Assert.Equal(refusals[0].Id, answer["Sallyport-Event"]);
            Reasons.Add(step.Reason);
        }
        else
        {
            Assert.True(refusals.All(e => e.Entry.Trim() == step.Event), entries);
        }
        if (step.Event is not null)
            Assert.True(found.Any(e => e.Id == answer["Sallyport-Event"] && e.Entry.Split(' ')[0] == step.Event), entries);
        Assert.All(step.Also, also => Assert.True(found.Any(e => e.Entry.Trim() == also), $"{also} is missing. {entries}"));
    }

    /// <summary>Type and reason.</summary>
    private static string Describe(AuditEvent auditEvent)
    {
        using var document = JsonDocument.Parse(AuditEventJson.Write(auditEvent));
        var reason = document.RootElement.TryGetProperty("reason", out var word) ? word.GetString() : "";
        return $"{document.RootElement.GetProperty("type").GetString()} {reason}";
    }
}
