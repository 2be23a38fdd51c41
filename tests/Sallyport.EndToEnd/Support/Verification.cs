using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd.Support;

/// <summary>Whether a log holds together.</summary>
internal static class Verification
{
    /// <summary>Milliseconds after which a caller is told 503 instead.</summary>
    private const long LongestWait = 5_000;

    private static readonly Lazy<Task<bool>> s_hasCommand = new(async () =>
        (await Executable.RunAsync("audit", "verify", "--help")).Output.Contains("audit verify", StringComparison.Ordinal));

    /// <summary><c>audit verify</c> is content, where there is such a command, and so is <see cref="AssertConsistent"/>.</summary>
    public static async Task<Recording> VerifyAsync(DataFolder data)
    {
        if (await s_hasCommand.Value)
        {
            var finished = await Executable.RunAsync("audit", "verify", "--data", data.Path);
            Assert.True(finished.ExitCode == (int)ExitCode.Success, $"audit verify ended with {finished.ExitCode}: {finished.Output}{finished.Error}");
        }
        var log = Recording.ReadFiles(data);
        AssertConsistent(log);
        return log;
    }

    /// <summary>
    /// Every id stands once; whatever an event builds on stands before it; a credential was exchanged once; nothing was allowed by a
    /// token that was not issued, or was revoked, as of the decision; each process's monotonic clock ran forward.
    /// </summary>
    public static void AssertConsistent(Recording log)
    {
        var events = log.Events;
        Assert.Equal(events.Count, events.Select(e => e.Id).Distinct().Count());
        var accesses = new HashSet<string>();
        var outcomes = new HashSet<string>();
        var clients = new HashSet<string>();
        var consents = new HashSet<string>();
        var grants = new HashSet<string>();
        var parents = new HashSet<string>();
        var exchanged = new HashSet<string>();
        var tokens = new Dictionary<string, (long Number, string Grant)>();
        var revoked = new Dictionary<string, long>();
        var elapsed = 0L;
        for (var number = 0; number < events.Count; number++)
        {
            // What was stamped may wait for its place; and a change that a start recovered was stamped by the process before.
            if (events[number] is AccessAllowed or AccessRefused)
            {
                Assert.True(events[number].Elapsed >= elapsed - LongestWait, $"Time went back at event {number}");
                elapsed = Math.Max(elapsed, events[number].Elapsed);
            }
            switch (events[number])
            {
                case Started started:
                    Assert.Equal(number == 0 || events[number - 1] is Stopped, started.AfterCleanStop);
                    elapsed = 0;
                    break;
                case ClientRegistered registered:
                    clients.Add(registered.Client);
                    break;
                case ConsentGiven given:
                    Assert.Contains(given.Client, clients);
                    consents.Add(given.Consent);
                    break;
                case CodeIssued code:
                    Assert.Contains(code.Consent, consents);
                    grants.Add(code.Grant);
                    parents.Add(code.Code);
                    break;
                case TokenIssued issued:
                    Assert.Contains(issued.Grant, grants);
                    Assert.Contains(issued.Parent, parents);
                    Assert.True(exchanged.Add(issued.Parent), $"{issued.Parent} was exchanged twice");
                    tokens.Add(issued.Token, (number, issued.Grant));
                    parents.Add(issued.RefreshToken!);
                    break;
                case TokenRevoked revocation:
                    Assert.Contains(revocation.Grant, grants);
                    revoked.TryAdd(revocation.Token ?? revocation.Grant, number);
                    break;
                case AccessAllowed allowed:
                    var (issuedAt, grant) = Assert.Contains(allowed.Token, tokens);
                    Assert.InRange(allowed.AsOf, issuedAt, number - 1);
                    Assert.All([allowed.Token, grant], ended => Assert.False(revoked.TryGetValue(ended, out var at) && at <= allowed.AsOf, $"Event {number} allows what event {at} revoked"));
                    accesses.Add(allowed.Id);
                    break;
                case AccessOutcome outcome:
                    Assert.All([.. outcome.Forwarded, .. outcome.NotForwarded.Select(failure => failure.Access)], access =>
                    {
                        Assert.Contains(access, accesses);
                        Assert.True(outcomes.Add(access), $"{access} has two outcomes");
                    });
                    break;
            }
        }
    }
}
