using System.Globalization;

namespace Sallyport.Bench.Measures;

/// <summary>Who had the processors: the bench's own processes, or somebody else, who then is in the numbers.</summary>
internal sealed class Processors
{
    private static readonly double s_tick = 1.0 / 100;

    private readonly double _busy = Busy();
    private readonly double _own = Own();
    private readonly long _begun = TimeProvider.System.GetTimestamp();

    /// <summary>The part of the machine that went to processes that are not the bench's, since this was made.</summary>
    /// <param name="servers">The processor time that the bench's servers have had meanwhile.</param>
    public double Elsewhere(TimeSpan servers)
    {
        var seconds = TimeProvider.System.GetElapsedTime(_begun).TotalSeconds * Environment.ProcessorCount;
        return Math.Clamp((Busy() - _busy - (Own() - _own) - servers.TotalSeconds) / seconds, 0, 1);
    }

    /// <summary>All processors' time that was not idle, in seconds.</summary>
    private static double Busy()
    {
        var fields = Fields(File.ReadLines("/proc/stat").First());
        // user nice system idle iowait irq softirq steal
        return (fields[0] + fields[1] + fields[2] + fields[5] + fields[6] + fields[7]) * s_tick;
    }

    /// <summary>This process, and its children that have ended: wrk.</summary>
    private static double Own()
    {
        var text = File.ReadAllText("/proc/self/stat");
        var fields = Fields(text[(text.LastIndexOf(')') + 2)..]);
        return (fields[10] + fields[11] + fields[12] + fields[13]) * s_tick;
    }

    private static double[] Fields(string line) =>
        [.. line.Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1).Select(field => double.Parse(field, CultureInfo.InvariantCulture))];
}
