using System.ComponentModel;
using Microsoft.Extensions.Logging;
using Sallyport.Proof.Events;
using Sallyport.Server.Configuration;
using Sallyport.Server.Gateway.Guard;

namespace Sallyport.Server.Gateway.Upstreams.Processes;

/// <summary>A server that is a command: one process for each session, and not too many of them.</summary>
internal sealed partial class ProcessUpstream(
    UpstreamSetting setting, GateConfiguration configuration, Supervision supervision, GateActs acts, TimeProvider time, ILogger<ProcessUpstream> logger, ILogger<ProcessTalk> talk) : IUpstream
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, int> _running = new(StringComparer.Ordinal);
    private readonly CrashBackoff _backoff = new(time);

    public UpstreamSetting Setting => setting;

    /// <summary>Since the gate's start.</summary>
    public UpstreamNature? Known { get; private set; }

    public int Running
    {
        get
        {
            lock (_lock)
                return _running.Values.Sum();
        }
    }

    private string Name => Known?.Server ?? Path.GetFileName(setting.Command[0]);

    /// <exception cref="UpstreamFaultException">The command does not work.</exception>
    public async ValueTask<UpstreamNature> LearnAsync(CancellationToken cancellationToken) =>
        Known ??= await new ProcessProbe(setting.Command, Start, () => acts.RecordAsync(GateAct.Discovery, setting.Audience), time).AskAsync(cancellationToken);

    public ValueTask<IMessageChannel> OpenAsync(string session, Func<Caller> caller, CancellationToken cancellationToken)
    {
        var subject = caller().Subject;
        if (_backoff.HasToWait(subject))
            throw new UpstreamException(Reason.UpstreamBackingOff, reached: false, "it has ended too often just after its start");
        if (!TryTakePlace(subject))
            throw new UpstreamException(Reason.UpstreamLimit, reached: false, "as many of it run as may");
        try
        {
            var began = time.GetTimestamp();
            var process = Start(ProcessCommand.Find(setting.Command[0]) ?? throw new Win32Exception("there is no such command any more"));
            var running = new RunningProcess(process, byItself =>
            {
                GiveUpPlace(subject);
                if (!byItself)
                    return;
                _backoff.Ended(subject, time.GetElapsedTime(began));
                LogEnded(logger, Name, process.Exit.Result);
            });
            return new(new ProcessChannel(new(process.Input, process.Output, running), process.Talk, running.HasEnded, () => acts.RecordAsync(GateAct.RequestRefused, setting.Audience, session)));
        }
        catch (Exception exception) when (exception is Win32Exception or IOException)
        {
            GiveUpPlace(subject);
            LogNotStarted(logger, Name, exception.Message);
            throw new UpstreamException(Reason.UpstreamUnreachable, reached: false, exception.Message, exception);
        }
    }

    private ServerProcess Start(string file) => ServerProcess.Start(supervision, file, setting.Command, configuration.UpstreamEnvironment, new(talk, () => Name, time));

    private bool TryTakePlace(string subject)
    {
        lock (_lock)
        {
            var own = _running.GetValueOrDefault(subject);
            if (own >= configuration.UpstreamProcessesPerUser || _running.Values.Sum() >= configuration.UpstreamProcesses)
                return false;
            _running[subject] = own + 1;
            return true;
        }
    }

    private void GiveUpPlace(string subject)
    {
        lock (_lock)
        {
            if (--_running[subject] == 0)
                _running.Remove(subject);
        }
    }

    [LoggerMessage(LogLevel.Warning, "{Server} ended by itself with {ExitCode}, and its session with it")]
    private static partial void LogEnded(ILogger logger, string server, int exitCode);

    [LoggerMessage(LogLevel.Error, "{Server} cannot be started: {Problem}. Look for its file, its permissions, and the limits of this account")]
    private static partial void LogNotStarted(ILogger logger, string server, string problem);
}
