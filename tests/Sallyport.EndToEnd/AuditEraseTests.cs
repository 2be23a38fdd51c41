using System.Text;
using System.Text.Json;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd;

/// <summary><c>audit erase</c> beside a running gate and without one, and what <c>audit tail</c> shows before and after.</summary>
public sealed class AuditEraseTests
{
    private const string Password = "correct horse battery staple";

    [Fact]
    public async Task A_user_is_erased_beside_the_running_gate_and_the_log_verifies()
    {
        using var data = new DataFolder();
        var subject = await Executable.AddUserAsync(data, "alice-of-the-log", Password);
        await using var gate = await GateProcess.StartAsync(data);
        using (var client = await GateClient.RegisterAsync(gate.Origin))
            Assert.NotNull(await client.AuthorizeAsync("alice-of-the-log", Password));
        Assert.Contains("name=\"alice-of-the-log\"", await TailAsync(data), StringComparison.Ordinal);

        // Nothing happens without --yes, but that it says what would.
        var tried = await EraseAsync(data, "--user", "Alice-of-the-log");
        Assert.Contains("alice-of-the-log", tried.Output, StringComparison.Ordinal);
        Assert.Contains("address", tried.Output, StringComparison.Ordinal);
        Assert.Contains("--yes", tried.Error, StringComparison.Ordinal);
        Assert.Contains("alice-of-the-log", BytesOf(data), StringComparison.Ordinal);

        var erased = await EraseAsync(data, "--user", "alice-of-the-log", "--yes");

        Assert.Equal("", erased.Output);
        Assert.Contains("erased (address 1, user_name 1)", erased.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("alice-of-the-log", BytesOf(data), StringComparison.Ordinal);
        var tail = await TailAsync(data);
        Assert.DoesNotContain("alice-of-the-log", tail, StringComparison.Ordinal);
        Assert.Contains("name=erased:", tail, StringComparison.Ordinal);
        var acted = (await data.ReadLogAsync()).Single<OperatorActed>(acted => acted.Act == OperatorAct.ValuesErased);
        Assert.Equal(subject, acted.Target);
        // The account is still one.
        using (var client = await GateClient.RegisterAsync(gate.Origin))
            Assert.NotNull(await client.AuthorizeAsync("alice-of-the-log", Password));
        await gate.StopAsync();
        var verified = await Executable.RunAsync("audit", "verify", "--data", data.Path);
        Assert.True(verified.ExitCode == (int)ExitCode.Success, verified.Output + verified.Error);
    }

    [Fact]
    public async Task Where_no_gate_runs_the_command_erases_by_itself()
    {
        using var data = new DataFolder();
        await Executable.AddUserAsync(data, "alice-of-the-log", Password);

        var erased = await EraseAsync(data, "--user", "alice-of-the-log", "--yes");

        Assert.Contains("1 value erased", erased.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("alice-of-the-log", BytesOf(data), StringComparison.Ordinal);
        Assert.Equal(["user add", "audit erase"], (await data.ReadLogAsync()).All<Started>().Select(start => start.Process));
        Assert.Contains("There is nothing to erase", (await EraseAsync(data, "--user", "alice-of-the-log", "--yes")).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Programs_get_the_values_beside_the_very_bytes_of_the_event()
    {
        using var data = new DataFolder();
        await Executable.AddUserAsync(data, "alice-of-the-log", Password);

        var before = await ActedAsync(data);
        await EraseAsync(data, "--before", "1");
        Assert.Equal("alice-of-the-log", before.GetProperty("values").GetProperty("name").GetString());
        Assert.Equal(43, before.GetProperty("event").GetProperty("name").GetString()!.Length);

        await EraseAsync(data, "--user", "alice-of-the-log", "--yes");

        var after = await ActedAsync(data);
        Assert.Equal(JsonValueKind.Null, after.GetProperty("values").GetProperty("name").ValueKind);
        Assert.Equal(before.GetProperty("event").GetRawText(), after.GetProperty("event").GetRawText());
    }

    [Theory]
    [InlineData(ExitCode.Usage)]
    [InlineData(ExitCode.Usage, "--user", "alice", "--address", "203.0.113.7")]
    [InlineData(ExitCode.Usage, "--address", "nowhere")]
    [InlineData(ExitCode.Usage, "--before", "yesterday")]
    [InlineData(ExitCode.RefusedInput, "--user", "nobody")]
    public async Task What_makes_no_sense_is_refused_with_a_hint(ExitCode expected, params string[] arguments)
    {
        using var data = new DataFolder();
        await Executable.AddUserAsync(data, "alice", Password);

        Faults.Assert(await Executable.RunAsync(["audit", "erase", .. arguments, "--data", data.Path]), expected);
    }

    private static async Task<Finished> EraseAsync(DataFolder data, params string[] arguments)
    {
        var finished = await Executable.RunAsync(["audit", "erase", .. arguments, "--data", data.Path]);
        Assert.True(finished.ExitCode == (int)ExitCode.Success, finished.Error);
        return finished;
    }

    private static async Task<string> TailAsync(DataFolder data) => (await Executable.RunAsync("audit", "tail", "-n", "100", "--data", data.Path)).Output;

    private static async Task<JsonElement> ActedAsync(DataFolder data)
    {
        var lines = (await Executable.RunAsync("audit", "tail", "--json", "--data", data.Path)).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        return lines.Select(line => JsonElement.Parse(line)).First(line => line.GetProperty("event").GetProperty("type").GetString() == "operator.acted");
    }

    /// <summary>All that lies in the log's directory.</summary>
    private static string BytesOf(DataFolder data) => string.Concat(Directory.EnumerateFiles(Path.Combine(data.Path, "log"), "*", SearchOption.AllDirectories).Select(path =>
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        return Encoding.Latin1.GetString(bytes);
    }));
}
