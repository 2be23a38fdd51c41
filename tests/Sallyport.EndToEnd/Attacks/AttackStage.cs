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
    private Dictionary<string, string> _signedIn = [];
    private Dictionary<string, string> _othersSignedIn = [];
    private readonly JournalFollower _log;

    private NginxProcess? _proxy;

    private AttackStage(DataFolder data, CountingServer upstream, GateProcess gate, Canaries canaries, string password) =>
        (Data, _upstream, Gate, Canaries, _password, _log) = (data, upstream, gate, canaries, password, new(data.Log, 0));

    public DataFolder Data { get; }
    public GateProcess Gate { get; }
    public Canaries Canaries { get; }

    /// <param name="program">The gate to attack.</param>
    /// <param name="isBehindNginx">Whether all is sent to an nginx before it.</param>
    public static async Task<AttackStage> StartAsync(string program, bool isBehindNginx = false)
    {
        var data = new DataFolder();
        var upstream = new CountingServer();
        var canaries = new Canaries();
        var password = canaries.Plant("password");
        string[] options = ["--upstream", upstream.Url, "--upstream", "other=" + upstream.Url, "--registrations-per-minute", "100000", "--sign-ins-per-minute", "100000"];
        var gate = await GateProcess.StartAsync(data, Ports.Free(), arguments => ChildProcess.Start("dotnet", [program, .. arguments, .. options], environment: s_talkative));
        var stage = new AttackStage(data, upstream, gate, canaries, password);
        try
        {
            stage._proxy = isBehindNginx ? await NginxProcess.StartAsync(Ports.Free(), gate.Port) : null;
            stage._signedIn = await stage.SignInAsync(Attacker.UserName);
            stage._othersSignedIn = await stage.SignInAsync(Attacker.OthersName);
            return stage;
        }
        catch
        {
            await stage.DisposeAsync();
            throw;
        }
    }

    /// <summary>Plays one case; the gate does nothing else meanwhile.</summary>
    public async Task<AttackResult> PlayAsync(AttackCase attackCase)
    {
        var runner = new AttackRunner(_upstream, _log, AttackerOf(attackCase), isBehindNginx: _proxy is not null);
        var failure = await Record.ExceptionAsync(() => runner.RunAsync(attackCase));
        return new(failure?.ToString(), [.. runner.Reasons.Distinct()]);
    }

    /// <summary>A new user, and the cookies of a browser in which they have signed in.</summary>
    private async Task<Dictionary<string, string>> SignInAsync(string user)
    {
        await Executable.AddUserAsync(Data, user, _password);
        return await AttackerOf(new() { Id = "Sign-in of " + user, Sends = "", Requires = "", Source = "", Let = new Dictionary<string, string> { ["user"] = user } }).SignInAsync();
    }

    private Attacker AttackerOf(AttackCase attackCase) => new(Gate, _proxy?.Port ?? Gate.Port, _password, _signedIn, _othersSignedIn, attackCase, Canaries);

    public async ValueTask DisposeAsync()
    {
        if (_proxy is not null)
            await _proxy.DisposeAsync();
        await Gate.DisposeAsync();
        await _upstream.DisposeAsync();
        Data.Dispose();
    }
}
