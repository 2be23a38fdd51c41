using Sallyport.EndToEnd.Support;
using Sallyport.Server.Audit;

namespace Sallyport.EndToEnd.Attacks;

/// <summary>A gate that talks as much as it can, with a user who has signed in, before a server that counts what reaches it.</summary>
internal sealed class AttackStage : IAsyncDisposable
{
    private static readonly Dictionary<string, string> s_talkative =
        new() { ["Logging__LogLevel__Default"] = "Trace", ["Logging__LogLevel__Microsoft.AspNetCore"] = "Trace", ["Logging__Console__LogLevel__Default"] = "Trace" };

    private readonly CountingServer _upstream;
    private readonly string _password;
    private readonly Dictionary<string, string> _signedIn;
    private readonly JournalFollower _log;

    private AttackStage(DataFolder data, CountingServer upstream, GateProcess gate, Canaries canaries, string password, Dictionary<string, string> signedIn) =>
        (Data, _upstream, Gate, Canaries, _password, _signedIn, _log) = (data, upstream, gate, canaries, password, signedIn, new(data.Log, 0));

    public DataFolder Data { get; }
    public GateProcess Gate { get; }
    public Canaries Canaries { get; }

    /// <param name="program">The gate to attack.</param>
    public static async Task<AttackStage> StartAsync(string program)
    {
        var data = new DataFolder();
        var upstream = new CountingServer();
        var canaries = new Canaries();
        var password = canaries.Plant("password");
        string[] options = ["--upstream", upstream.Url, "--registrations-per-minute", "100000", "--sign-ins-per-minute", "100000"];
        var gate = await GateProcess.StartAsync(data, Ports.Free(), arguments => ChildProcess.Start("dotnet", [program, .. arguments, .. options], environment: s_talkative));
        await Executable.AddUserAsync(data, Attacker.UserName, password);
        var signedIn = await new Attacker(gate, password, [], new() { Id = "Sign-in", Sends = "", Requires = "", Source = "" }, canaries).SignInAsync();
        return new(data, upstream, gate, canaries, password, signedIn);
    }

    /// <summary>Plays one case; the gate does nothing else meanwhile.</summary>
    public async Task<AttackResult> PlayAsync(AttackCase attackCase)
    {
        var runner = new AttackRunner(_upstream, _log, new(Gate, _password, _signedIn, attackCase, Canaries));
        var failure = await Record.ExceptionAsync(() => runner.RunAsync(attackCase));
        return new(failure?.ToString(), [.. runner.Reasons.Distinct()]);
    }

    public async ValueTask DisposeAsync()
    {
        await Gate.DisposeAsync();
        await _upstream.DisposeAsync();
        Data.Dispose();
    }
}
