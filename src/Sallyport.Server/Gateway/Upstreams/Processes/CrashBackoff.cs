namespace Sallyport.Server.Gateway.Upstreams.Processes;

/// <summary>
/// Who has servers that end soon after their start waits before the next one, each time twice as long. Counted by user, as it may be
/// the user's own requests that end them.
/// </summary>
internal sealed class CrashBackoff(TimeProvider time)
{
    /// <summary>A server that ran for this long did not crash at its start.</summary>
    private static readonly TimeSpan s_soon = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_first = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_longest = TimeSpan.FromMinutes(1);
    /// <summary>So many may crash before anybody waits.</summary>
    private const int Forgiven = 2;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, (int Crashes, long Last)> _users = new(StringComparer.Ordinal);

    public bool HasToWait(string subject)
    {
        lock (_lock)
            return _users.TryGetValue(subject, out var user) && time.GetElapsedTime(user.Last) < Pause(user.Crashes);
    }

    /// <summary>A server ended by itself.</summary>
    public void Ended(string subject, TimeSpan age)
    {
        lock (_lock)
        {
            if (age >= s_soon)
                _users.Remove(subject);
            else
                _users[subject] = (_users.GetValueOrDefault(subject).Crashes + 1, time.GetTimestamp());
        }
    }

    private static TimeSpan Pause(int crashes) => crashes <= Forgiven
        ? TimeSpan.Zero
        : TimeSpan.FromTicks(Math.Min(s_longest.Ticks, s_first.Ticks << Math.Min(crashes - Forgiven - 1, 16)));
}
