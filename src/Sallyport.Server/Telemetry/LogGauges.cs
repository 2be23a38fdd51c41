using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;

namespace Sallyport.Server.Telemetry;

/// <summary>The state of the log, read when somebody asks.</summary>
internal sealed class LogGauges
{
    /// <summary>A long log has many files: they are not counted each time.</summary>
    private static readonly TimeSpan s_sizeAge = TimeSpan.FromMinutes(1);

    private readonly string _directory;
    private readonly TimeProvider _time;
    private readonly Lock _gate = new();
    private (long At, double Bytes)? _size;

    public LogGauges(GateMeter meter, AuditLog log, Sealer sealer, DataDirectory directory, TimeProvider time)
    {
        (_directory, _time) = (directory.Log, time);
        meter.Gauge("sallyport.log.open", "1", "Whether events can be recorded: 1; 0 while the gate is closed and answers 503.", () => log.IsOpen ? 1 : 0);
        meter.Gauge("sallyport.log.waiting", "{event}", "Events that wait for the disk.", () => log.Waiting);
        meter.Gauge("sallyport.log.length", "{event}", "Events in the log.", () => log.IsBegun ? log.Length : 0);
        meter.Gauge("sallyport.log.unsigned", "{event}", "Events that no checkpoint covers yet. The event of the newest checkpoint is always one.", () => log.IsBegun ? Math.Max(0, log.Length - sealer.SealedSize) : 0);
        meter.Gauge("sallyport.log.checkpoint.age", "s", "Since the newest checkpoint was signed. While nothing happens, none is.",
            () => sealer.NewestAt is { } at ? Math.Max(0, (time.GetUtcNow() - at).TotalSeconds) : double.NaN);
        meter.Gauge("sallyport.log.size", "By", "What the log takes on its disk, looked at once a minute.", Size);
        meter.Gauge("sallyport.log.disk.free", "By", "What is free on the log's disk.", () => new DriveInfo(_directory).AvailableFreeSpace);
    }

    private double Size()
    {
        lock (_gate)
        {
            if (_size is var (at, bytes) && _time.GetElapsedTime(at) < s_sizeAge)
                return bytes;
            var sum = 0L;
            foreach (var file in new DirectoryInfo(_directory).EnumerateFiles("*", SearchOption.AllDirectories))
                sum += LengthOf(file);
            _size = (_time.GetTimestamp(), sum);
            return sum;
        }
    }

    /// <summary>It may be pruned meanwhile.</summary>
    private static long LengthOf(FileInfo file)
    {
        try
        {
            return file.Length;
        }
        catch (FileNotFoundException)
        {
            return 0;
        }
    }
}
