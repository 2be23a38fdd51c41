using System.Globalization;
using Sallyport.Proof.Events;
using Sallyport.Proof.Verification;

namespace Sallyport.Proof.Claims;

/// <summary>C7, as far as the events tell it: each process begins with a start, and says truly how the one before ended.</summary>
internal sealed class Continuity(Findings findings)
{
    /// <summary>Events are stamped a little before they are written, and so may stand behind later ones.</summary>
    private static readonly long s_disorder = (long)TimeSpan.FromMinutes(1).TotalMilliseconds;

    private long _newest;
    private DateTimeOffset _newestTime;
    private long? _stoppedAt;
    private bool _hasBegun;
    private int _recovered;
    /// <summary>A log without its beginning may begin among the events that a start recovered, which have the clock of the process before.</summary>
    private bool _mayBeRecovered;

    /// <summary>Milliseconds that gates have run so far. Never goes back; while none runs it stands still.</summary>
    public long Clock { get; private set; }

    private long _base;

    /// <summary>Takes the next event, before any other rule does.</summary>
    /// <returns>When it happened, by <see cref="Clock"/>.</returns>
    public long Next(long index, AuditEvent next)
    {
        findings.Judged(Claim.C7);
        if (next is Started started)
        {
            Begin(index, started);
            return Clock;
        }
        if (!Follows(index))
            return Clock;
        if (next.Elapsed < _newest - s_disorder && !IsLate(next))
        {
            if (!_mayBeRecovered)
                findings.Refute(Claim.C7, index, string.Create(CultureInfo.InvariantCulture, $"the process that wrote this had run for {next.Elapsed} ms, the one before it for {_newest}: a start is missing"));
            _base = Clock - next.Elapsed;
            _newest = -1;
            _mayBeRecovered = false;
        }
        if (next.Elapsed > _newest)
            (_newest, _newestTime) = (next.Elapsed, next.Time);
        Clock = Math.Max(Clock, _base + next.Elapsed);
        if (next is Stopped)
            _stoppedAt = index;
        return _base + next.Elapsed;
    }

    /// <summary>Takes an event of which only its place can be told.</summary>
    public void Pass(long index)
    {
        findings.Judged(Claim.C7);
        Follows(index);
    }

    /// <summary>What the verification of the log itself came to.</summary>
    public void Conclude(LogReport log)
    {
        foreach (var fault in log.Faults)
            findings.Refute(Claim.C7, fault.Index, fault.Text);
        if (log.Faults.Count > 0)
            return;
        if (log.Length == 0)
            findings.Miss(Claim.C7, null, "the log has no event");
        else if (log.SignedLength == 0)
            findings.Miss(Claim.C7, null, "nobody has signed the log yet");
    }

    /// <summary>
    /// Whether an event was held up between its stamp and its place, as by a machine that stood still. Both clocks tell so then; where the
    /// start of another process is missing, that one has run for less, at a later time.
    /// </summary>
    private bool IsLate(AuditEvent next) =>
        (_newestTime - next.Time - TimeSpan.FromMilliseconds(_newest - next.Elapsed)).Duration() <= Tolerances.Stamp;

    /// <returns>Whether it is of the process that runs. What a start recovered is of the one before, by whose clock it tells the time; in the log it is since that start.</returns>
    private bool Follows(long index)
    {
        if (!_hasBegun && index == 0)
            findings.Refute(Claim.C7, index, "the log does not begin with a start");
        _mayBeRecovered |= !_hasBegun && index > 0;
        _hasBegun = true;
        if (_recovered > 0)
        {
            _recovered--;
            return false;
        }
        if (_stoppedAt is { } stopped)
        {
            findings.Refute(Claim.C7, index, $"an event follows the stop at event {stopped} without a start", stopped);
            _stoppedAt = null;
        }
        return true;
    }

    private void Begin(long index, Started started)
    {
        if (started.AfterCleanStop && index > 0 && _hasBegun && _stoppedAt != index - 1)
            findings.Refute(Claim.C7, index, "it is said that the process before had stopped in order, and its stop is not in the log");
        if (started.FollowsSize is { } size && size != index)
            findings.Refute(Claim.C7, index, $"the start says that it follows {size} events");
        (_hasBegun, _stoppedAt, _recovered, _mayBeRecovered) = (true, null, started.Recovered, false);
        _base = Clock - started.Elapsed;
        (_newest, _newestTime) = (started.Elapsed, started.Time);
    }
}
