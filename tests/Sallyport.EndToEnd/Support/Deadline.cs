namespace Sallyport.EndToEnd.Support;

/// <summary>Waits for what another process does, which nothing but asking can tell.</summary>
internal static class Deadline
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(20);

    /// <summary>Asks until it is so.</summary>
    public static async Task UntilAsync(Func<Task<bool>> condition, Func<string> otherwise)
    {
        var time = TimeProvider.System;
        for (var begun = time.GetTimestamp(); !await condition();)
        {
            if (time.GetElapsedTime(begun) > s_limit)
                throw new TimeoutException(otherwise());
            await Task.Delay(s_interval, time, TestContext.Current.CancellationToken);
        }
    }
}
