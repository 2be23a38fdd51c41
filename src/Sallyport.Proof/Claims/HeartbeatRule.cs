using System.Globalization;
using System.Text.Json;
using Sallyport.Proof.Events;

namespace Sallyport.Proof.Claims;

/// <summary>What the gate's own requests have to come to (C5). The gate shouts by it, and a report judges by it.</summary>
public static class HeartbeatRule
{
    private const int FirstError = 400;

    private static readonly HeartbeatClass[] s_classes = Enum.GetValues<HeartbeatClass>();

    /// <returns>Whether it is the answer that is due to its class; and where not, or where nobody can tell, why.</returns>
    public static (ClaimStatus Status, string Text) Judge(HeartbeatAnswer answer)
    {
        var (due, reasons) = Due(answer.Class);
        var what = $"a request of the gate's own ({Word(answer.Class)}{(answer.Ways is { } ways ? $"; {string.Join(", ", ways)}" : "")})";
        if (answer.Class == HeartbeatClass.Good)
            return JudgeGood(answer, due, what);
        // A gate at fault lets nobody in; and a clock that was just set forward ends tokens before their time.
        if (answer.Reason == Reason.Fault || (answer.Reason == Reason.TokenExpired && answer.Class is (HeartbeatClass.WrongAudience or HeartbeatClass.WrongScope or HeartbeatClass.AnothersSession)))
            return (ClaimStatus.Unknown, $"{what} was refused, and does not tell what for it would have been: {answer.Reason.Value.Word()}");
        if (answer.Reason is { } reason && !reasons.Contains(reason))
            return (ClaimStatus.Refuted, $"{what} was refused for another reason than was due: {reason.Word()}");
        if (answer.Status is not { } status)
            return (ClaimStatus.Unknown, $"{what} got no answer: the public address cannot be reached from the gate");
        var text = string.Create(CultureInfo.InvariantCulture, $"{what} was answered with {status}");
        // By its name a proxy chooses whom it asks: whatever answers to another one need not be the gate.
        var isElsewhere = answer is { Class: HeartbeatClass.HostWrong, ByGate: false };
        if (status < FirstError)
            return (isElsewhere ? ClaimStatus.Unknown : ClaimStatus.Refuted, isElsewhere ? text + ", by something before the gate" : text);
        if (isElsewhere || (answer is { ByGate: true, Reason: not null } && status == due))
            return (ClaimStatus.Proved, "");
        return (ClaimStatus.Unknown, !answer.ByGate ? text + ", by something before the gate" : answer.Reason is null ? text + ", and nothing says why" : text + ", which is not what the gate had answered");
    }

    /// <summary>What a round came to: each of its answers, and each class of which some way in got no request.</summary>
    public static IEnumerable<(HeartbeatClass Class, ClaimStatus Status, string Text, int Ways)> Judge(HeartbeatAnswered round)
    {
        var tried = round.Answers.ToLookup(answer => answer.Class, answer => answer.Ways ?? round.Ways);
        var judged = round.Answers.Select(answer =>
        {
            var (status, text) = Judge(answer);
            return (answer.Class, status, text, (answer.Ways ?? round.Ways).Count);
        });
        return judged.Concat(
            from of in s_classes
            let left = round.Ways.Except(tried[of].SelectMany(ways => ways), StringComparer.Ordinal).Count()
            where left > 0
            select (of, ClaimStatus.Unknown, $"no request of the gate's own of the class {Word(of)} was sent to each way in", left));
    }

    /// <summary>That it is refused lets nobody in: it takes away what the refusals of the others say.</summary>
    private static (ClaimStatus Status, string Text) JudgeGood(HeartbeatAnswer answer, int due, string what)
    {
        if (answer is { ByGate: true, Reason: null } && answer.Status == due)
            return (ClaimStatus.Proved, "");
        var came = answer.Status is { } status ? string.Create(CultureInfo.InvariantCulture, $"was answered with {status}") : "got no answer";
        return (ClaimStatus.Unknown, $"{what} {came}{(answer.Reason is { } reason ? $" ({reason.Word()})" : answer.ByGate ? "" : ", not by the gate")}: a gate that refuses everything shows little by refusing");
    }

    /// <summary>The word of a class, as the log has it.</summary>
    public static string Word(HeartbeatClass of) => JsonNamingPolicy.SnakeCaseLower.ConvertName(of.ToString());

    /// <summary>The status and the reason, or those of them that a gate may have: whether it looks into JWTs is a setting.</summary>
    private static (int Status, Reason[] Reasons) Due(HeartbeatClass of) => of switch
    {
        HeartbeatClass.None => (401, [Reason.TokenMissing]),
        HeartbeatClass.Malformed => (401, [Reason.TokenMalformed]),
        HeartbeatClass.Unknown => (401, [Reason.TokenUnknown]),
        HeartbeatClass.Forged => (401, [Reason.TokenForged]),
        HeartbeatClass.InQuery => (401, [Reason.TokenInQuery]),
        HeartbeatClass.JwtAlgNone or HeartbeatClass.JwtWrongKey => (401, [Reason.TokenMalformed, Reason.TokenForged]),
        HeartbeatClass.OriginForeign => (403, [Reason.OriginForeign]),
        HeartbeatClass.HostWrong => (421, [Reason.HostUnknown]),
        HeartbeatClass.Expired => (401, [Reason.TokenExpired]),
        HeartbeatClass.Revoked => (401, [Reason.TokenRevoked]),
        HeartbeatClass.WrongAudience => (401, [Reason.TokenWrongAudience]),
        HeartbeatClass.WrongScope => (403, [Reason.ScopeInsufficient]),
        HeartbeatClass.Good => (204, []),
        HeartbeatClass.AnothersSession => (404, [Reason.SessionOfAnother]),
        _ => throw new ArgumentOutOfRangeException(nameof(of)),
    };
}
