using Sallyport.Tests.Proof.Support;
using static Sallyport.Tests.Findings.Story;

namespace Sallyport.Tests.Findings;

/// <summary>
/// Eleven days of a gate that nobody does any harm to: people by day, few at night and on Sundays; four clients, one of which calls from addresses of its own; offices that share an address, people
/// on the road, machines with two kinds of addresses; tokens that expire with several requests under way; sign-ins that fail, requests that people think better of, a monitor, scanners; and a start a day.
/// </summary>
internal sealed class OrdinaryTraffic(Dice dice, int users)
{
    private const int Days = 11;
    private static readonly string[] s_clients = ["hosted", "editor", "terminal", "desktop"];
    private static readonly string[] s_tools = ["search", "search", "search", "read", "read", "write", "list", "run", "echo", "whoami"];
    private static readonly DateTimeOffset s_begin = new(2026, 3, 2, 0, 0, 0, TimeSpan.Zero);

    private readonly List<(DateTimeOffset Time, AuditEvent Event)> _hour = [];
    private readonly HashSet<(string, int)> _allowed = [];

    /// <summary>In order, each with its time.</summary>
    public IEnumerable<AuditEvent> Events()
    {
        for (var hour = 0; hour < Days * 24; hour++)
        {
            _hour.Clear();
            TellHour(s_begin.AddHours(hour), hour);
            foreach (var (time, next) in _hour.OrderBy(told => told.Time))
                yield return next with { Id = "id", Time = time };
        }
    }

    private void TellHour(DateTimeOffset from, int hour)
    {
        // 1. What goes on by itself.
        for (var minute = 0; minute < 60; minute++)
        {
            Tell(from.AddMinutes(minute), new CheckpointSigned { Id = "", Size = 1, Root = "" });
            Tell(from.AddSeconds(minute * 60 + 30), Refused(Reason.TokenMissing, "192.0.2.200"));
            if (minute % 5 == 0)
                Tell(from.AddMinutes(minute), new HeartbeatAnswered { Id = "", Audience = "a", Interval = 300, Ways = ["GET /mcp"], Answers = [new(HeartbeatClass.None, true, 401, Reason.TokenMissing)] });
        }
        for (var probe = dice.Below(40); probe > 0; probe--)
            Tell(Within(from), Refused(dice.Of([Reason.TokenMissing, Reason.TokenMalformed, Reason.RouteUnknown, Reason.HostUnknown]), $"{dice.Below(200) + 20}.{dice.Below(256)}.{dice.Below(256)}.9"));

        // 2. Who is there.
        var busy = from.DayOfWeek == DayOfWeek.Sunday ? 4 : hour % 24 is >= 8 and < 18 ? 45 : hour % 24 is >= 6 and < 23 ? 15 : 3;
        var isStart = hour % 24 == 4;
        for (var user = 0; user < users; user++)
        {
            foreach (var client in s_clients)
            {
                if (dice.Below(100) < busy && user % 4 != Array.IndexOf(s_clients, client))
                    TellUser(from, client, user, isStart);
            }
        }
        if (isStart)
        {
            Tell(from, new Stopped { Id = "" });
            Tell(from.AddSeconds(2), new Started { Id = "", Process = "serve", Version = "1", AfterCleanStop = true, BytesCut = 0, Recovered = 0, Durability = "process" });
        }
    }

    private void TellUser(DateTimeOffset from, string client, int user, bool isStart)
    {
        var (subject, at) = ($"user{user}", Within(from.AddMinutes(-10)).AddMinutes(10));
        // Where they are this hour: at the office, at home, or on the way from there; some machines have both kinds of addresses.
        var home = client == "hosted" ? "" : dice.Below(3) == 0 ? "203.0.113.5" : $"{user % 120 + 100}.{user / 120}.7.9";
        var moves = client != "hosted" && dice.Below(10) == 0;
        var isDual = user % 5 == 0;
        string SourceAt(int i) => client == "hosted" ? $"20.40.{dice.Below(4)}.{dice.Below(256)}"
            : moves && i > 8 ? $"185.{user % 250}.1.1"
            : isDual && i % 2 == 0 ? $"2001:{user % 250:x}::/64" : home;

        // 1. The way in, once; and the next token.
        if (_allowed.Add((client, user)))
        {
            Tell(at, Refused(Reason.TokenMissing, SourceAt(0)));
            Tell(at, new DiscoveryAnswered { Id = "", Document = "oauth-protected-resource", Path = "/mcp" });
            Tell(at.AddSeconds(1), Registered(client == "terminal" ? $"terminal-{user}" : client, SourceAt(0), repeated: client != "terminal" && user > 0));
            for (var given = dice.Below(4); given > 0; given--)
                Tell(at.AddSeconds(2), Started(client));
            for (var wrong = dice.Below(3); wrong > 0; wrong--)
                Tell(at.AddSeconds(3), new UserRefused { Id = "", Reason = Reason.CredentialsWrong, Source = SourceAt(0) });
            Tell(at.AddSeconds(30), new UserAuthenticated { Id = "", Subject = subject, Authentication = "a", Method = "pwd" });
            Tell(at.AddSeconds(31), Code(client));
            // Some windows are closed before the client gets its code.
            if (dice.Below(20) == 0)
                Tell(at.AddSeconds(40), Code(client));
            Tell(at.AddSeconds(41), Token(client, subject));
        }
        else
        {
            if (isStart)
                Tell(at, Refused(Reason.SessionUnknown, SourceAt(0), client, subject));
            for (var underWay = dice.Below(12); underWay > 0; underWay--)
                Tell(at.AddMilliseconds(underWay * 300), Refused(Reason.TokenExpired, SourceAt(0), client, subject));
            if (dice.Below(300) == 0)
                Tell(at.AddSeconds(5), new TokenRepeated { Id = "", Grant = "g", Client = client, Presented = "p" });
            Tell(at.AddSeconds(5), Token(client, subject, "refresh_token"));
        }

        // 2. What they do.
        at = at.AddMinutes(1);
        Tell(at, new SessionOpened { Id = "", Session = "x", Transport = AccessAllowed.StreamableHttp, Subject = subject, Client = client, Audience = "a" });
        Tell(at, Call(client, subject, tool: null, SourceAt(0)) with { Method = "tools/list" });
        var calls = 1 + dice.Below(dice.Below(30) == 0 ? 120 : 24);
        for (var call = 0; call < calls; call++)
        {
            at = at.AddSeconds(dice.Below(120));
            Tell(at, Call(client, subject, dice.Of(s_tools), SourceAt(call)));
            if (call % 3 == 0)
                Tell(at.AddMilliseconds(100), new AccessOutcome { Id = "", Forwarded = ["a", "b", "c"] });
        }
        if (dice.Below(500) == 0)
            Tell(at, Refused(Reason.SessionOfAnother, SourceAt(0), client, subject));
        Tell(at.AddSeconds(1), new SessionClosed { Id = "", Session = "x", Reason = Reason.ClosedByClient });
    }

    private DateTimeOffset Within(DateTimeOffset hour) => hour.AddMilliseconds(dice.Below(3_600_000));

    private void Tell(DateTimeOffset time, AuditEvent next) => _hour.Add((time, next));
}
