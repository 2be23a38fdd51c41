using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd;

/// <summary>
/// Many sessions for a long time, over both transports, some with a stream that listens, whose clients leave at random and whose servers
/// crash. Whatever comes to a session is its own, and when all is over nothing is left. <c>./test soak</c> takes its time.
/// </summary>
public sealed class SoakTests
{
    private const string Password = "correct horse battery staple";
    private const int Users = 8;
    /// <summary>What a gate may keep beyond what it kept after a first, short round: some connections of a session, and what is not collected yet.</summary>
    private const int DescriptorsPerSession = 2;
    private const long BytesLeft = 160L * 1024 * 1024;

    /// <summary>In which time the gate ends a session that was left without a word: it looks every so often for those that are idle for a minute.</summary>
    private static readonly TimeSpan s_idle = TimeSpan.FromSeconds(100);
    private static readonly TimeSpan s_youth = TimeSpan.FromSeconds(11);

    private static readonly (int OverHttp, int Processes, TimeSpan Length) s_size =
        Soak.IsLong ? (460, 40, TimeSpan.FromMinutes(30)) : (52, 8, TimeSpan.FromMinutes(2));

    [Fact]
    public Task Nothing_is_left_of_many_sessions_and_no_answer_is_anothers() =>
        Task.WhenAll(SoakAsync("http", s_size.OverHttp), SoakAsync("stdio", s_size.Processes));

    private static async Task SoakAsync(string kind, int sessions)
    {
        using var data = new DataFolder();
        await using var upstream = kind == "http" ? await SoakUpstream.StartAsync() : null;
        string[] options = upstream is not null
            ? ["--upstream", upstream.Url]
            : ["--upstream-processes", "60", "--upstream-processes-per-user", "60", "--", "node", Path.Combine(Repository.Clients, "soak-server.mjs")];
        await using var gate = await GateProcess.StartAsync(data, ["--access-token-seconds", "3600", "--checkpoint-seconds", "5", "--session-idle-seconds", "60", .. options]);
        var tokens = new List<string>();
        for (var user = 0; user < Users; user++)
        {
            var name = string.Create(CultureInfo.InvariantCulture, $"user{user}");
            await Executable.AddUserAsync(data, name, Password);
            using var registered = await GateClient.RegisterAsync(gate.Origin);
            tokens.Add((await registered.SignInAsync(name, Password)).AccessToken);
        }
        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { Timeout = Timeout.InfiniteTimeSpan };
        var (foreign, endings) = (new ConcurrentQueue<string>(), new Endings());
        var (before, after) = (default(Round)!, default(Round)!);
        try
        {
            before = await RoundAsync(TimeSpan.FromSeconds(5));
            after = await RoundAsync(s_size.Length);
        }
        finally
        {
            // A failure shows them.
            TestContext.Current.TestOutputHelper?.WriteLine($"{kind}: {before}, {after}\n{gate.Error[^Math.Min(gate.Error.Length, 20_000)..]}");
        }

        Assert.Empty(foreign);
        Assert.True(after.Answers > sessions, $"Only {after.Answers} answers");
        var most = before.Descriptors + (DescriptorsPerSession * sessions);
        // What has just ended the gate lets go of in its own time, and signs its log's head once nothing happens any more.
        await FileChanges.UntilAsync(data.Log, () => DescriptorsOf(gate.Process.Id) <= most, () => $"{DescriptorsOf(gate.Process.Id)} are open, of {most} at most");
        Assert.InRange(after.Bytes, 0, before.Bytes + BytesLeft);
        await gate.StopAsync();
        Assert.Equal(0, upstream?.Sessions ?? 0);
        var (accesses, opened) = (new HashSet<string>(StringComparer.Ordinal), new HashSet<string>(StringComparer.Ordinal));
        var (idle, streams) = (0, 0);
        await Verification.VerifyAsync(data, each =>
        {
            switch (each)
            {
                case AccessAllowed allowed:
                    Assert.True(accesses.Add(allowed.Id));
                    break;
                case AccessOutcome outcome:
                    Assert.All(outcome.Forwarded.Concat(outcome.NotForwarded.Select(failure => failure.Access)), access => Assert.True(accesses.Remove(access)));
                    streams += outcome.StreamsEnded?.Count ?? 0;
                    break;
                case SessionOpened session:
                    Assert.True(opened.Add(session.Session));
                    break;
                case SessionClosed session:
                    Assert.True(opened.Remove(session.Session));
                    idle += session.Reason == Reason.ClosedIdle ? 1 : 0;
                    break;
            }
        });
        Assert.Empty(accesses);
        Assert.Empty(opened);
        Assert.True((idle > 0 || sessions < 20) && streams > 0, $"{idle} sessions were left as they were, and {streams} streams were held");

        async Task<Round> RoundAsync(TimeSpan length)
        {
            var end = TimeProvider.System.GetTimestamp() + (long)(length.TotalSeconds * TimeProvider.System.TimestampFrequency);
            var answers = await Task.WhenAll(Enumerable.Range(0, sessions).Select(i => Task.Run(
                () => WorkAsync(client, gate.Origin, tokens[i % Users], overSse: i % 3 == 0, byProcess: kind == "stdio", end, foreign, endings), TestContext.Current.CancellationToken)));
            await ChildrenGoneAsync(gate.Process.Id);
            return new(answers.Sum(), DescriptorsOf(gate.Process.Id), MemoryOf(gate.Process.Id));
        }
    }

    /// <summary>Opens session after session until the time is up. Gives the number of answers that it got.</summary>
    private static async Task<int> WorkAsync(HttpClient client, string origin, string token, bool overSse, bool byProcess, long end, ConcurrentQueue<string> foreign, Endings endings)
    {
        var answers = 0;
        var up = Task.Delay(Remaining(), TimeProvider.System, TestContext.Current.CancellationToken);
        while (Remaining() > TimeSpan.Zero)
        {
            using var session = await SoakSession.OpenAsync(client, origin, token, overSse, listens: Once(4), foreign);
            if (session is null)
            {
                // There may be room when another session has ended.
                await Task.WhenAny(endings.Next, up);
                continue;
            }
            // A server that is a process works for a while before it crashes: one that ends soon after its start makes its user wait.
            var opened = TimeProvider.System.GetTimestamp();
            var life = byProcess ? s_youth + TimeSpan.FromSeconds(RandomNumberGenerator.GetInt32(20)) : TimeSpan.Zero;
            for (var call = RandomNumberGenerator.GetInt32(3, 6); call > 0 || IsYoung(); call--)
            {
                // One in six leaves before its answer, which comes beside that of its next call.
                var isLeft = Once(6);
                using var leaving = new CancellationTokenSource(isLeft ? TimeSpan.FromMilliseconds(RandomNumberGenerator.GetInt32(100)) : Timeout.InfiniteTimeSpan, TimeProvider.System);
                if (await session.CallAsync(isLeft ? "hold" : !IsYoung() && Once(20) ? "crash" : "echo", leaving.Token))
                    answers++;
                else if (!isLeft)
                    break;
            }
            Assert.Empty(foreign);
            // Some go without a word, while there is time for the gate to find out.
            if (Remaining() < s_idle || !Once(byProcess ? 10 : 200))
                await session.CloseAsync();
            endings.Tell();

            bool IsYoung() => TimeProvider.System.GetElapsedTime(opened) < life && Remaining() > TimeSpan.Zero;
        }
        return answers;

        TimeSpan Remaining() => TimeProvider.System.GetElapsedTime(TimeProvider.System.GetTimestamp(), end);

        static bool Once(int of) => RandomNumberGenerator.GetInt32(of) == 0;
    }

    private static int DescriptorsOf(int process) => Directory.GetFiles($"/proc/{process}/fd").Length;

    /// <summary>The supervisors of servers, and with each its server.</summary>
    private static async Task ChildrenGoneAsync(int parent)
    {
        foreach (var process in Process.GetProcesses())
        {
            using (process)
            {
                if (ParentOf(process.Id) == parent)
                    await process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromMinutes(1), TimeProvider.System, TestContext.Current.CancellationToken);
            }
        }
    }

    private static int ParentOf(int process)
    {
        try
        {
            // Behind the name, which may have anything in it: the state, and the parent.
            var stat = File.ReadAllText($"/proc/{process}/stat");
            return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            // It is gone.
            return 0;
        }
    }

    private static long MemoryOf(int process)
    {
        using var gate = Process.GetProcessById(process);
        return gate.WorkingSet64;
    }

    /// <summary>Tells those who wait for room that a session has ended.</summary>
    private sealed class Endings
    {
        private TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Next => Volatile.Read(ref _next).Task;

        public void Tell() => Interlocked.Exchange(ref _next, new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
    }

    /// <summary>What a round came to, and what the gate held after it.</summary>
    private sealed record Round(int Answers, int Descriptors, long Bytes);
}
