using System.Text.Json;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd;

/// <summary><c>key rotate</c> beside a running gate and without one.</summary>
public sealed class KeyRotateTests
{
    [Fact]
    public async Task The_keys_of_access_tokens_change_while_a_gate_runs_and_without_one()
    {
        using var data = new DataFolder();
        await Executable.AddUserAsync(data, "alice", "correct horse battery");
        var alone = await RotateAsync(data);
        await using (var gate = await GateProcess.StartAsync(data))
        {
            Assert.Contains(alone, await PublishedAsync(gate.Origin));
            Assert.Equal(2, (await PublishedAsync(gate.Origin)).Count);

            var beside = await RotateAsync(data);
            Assert.Contains(beside, await PublishedAsync(gate.Origin));
            Assert.Equal(3, (await PublishedAsync(gate.Origin)).Count);

            var only = await RotateAsync(data, "--at-once");
            Assert.Equal([only], await PublishedAsync(gate.Origin));
            await gate.StopAsync();
        }

        Assert.Equal(
            [OperatorAct.UserAdded, OperatorAct.TokenKeyAdded, OperatorAct.TokenKeyAdded, OperatorAct.TokenKeysReplaced],
            (await data.ReadLogAsync()).All<OperatorActed>().Select(acted => acted.Act));
    }

    [Fact]
    public async Task Where_there_is_no_gate_s_data_there_are_no_keys_to_change()
    {
        using var nothing = new DataFolder();

        Faults.Assert(await Executable.RunAsync("key", "rotate", "--data", nothing.Path), ExitCode.Unavailable);
    }

    private static async Task<string> RotateAsync(DataFolder data, params string[] flags)
    {
        var rotated = await Executable.RunAsync(["key", "rotate", "--data", data.Path, .. flags]);
        Assert.True(rotated.ExitCode == (int)ExitCode.Success, rotated.Error);
        return rotated.Output.TrimEnd('\n');
    }

    private static async Task<IReadOnlyList<string>> PublishedAsync(string origin)
    {
        using var client = new HttpClient();
        using var keys = JsonDocument.Parse(await client.GetStringAsync($"{origin}/jwks", TestContext.Current.CancellationToken));
        return [.. keys.RootElement.GetProperty("keys").EnumerateArray().Select(key => key.GetProperty("kid").GetString()!)];
    }
}
