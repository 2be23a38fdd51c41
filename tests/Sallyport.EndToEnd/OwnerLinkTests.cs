using System.Net;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd;

/// <summary>The link that makes the first user of a gate its owner.</summary>
public sealed class OwnerLinkTests
{
    private static readonly Dictionary<string, string> s_owner = new() { ["username"] = "owner", ["password"] = "correct horse" };

    [Fact]
    public async Task Without_a_terminal_the_link_goes_to_a_file_that_only_the_operator_can_read()
    {
        using var data = new DataFolder();
        await using var gate = await GateProcess.StartAsync(data);

        var file = LinkFile(data);

        Assert.Contains(file, gate.Error, StringComparison.Ordinal);
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        var link = await ReadLinkAsync(data);
        Assert.StartsWith($"{gate.Origin}/enrol?token=", link, StringComparison.Ordinal);
        Assert.DoesNotContain(link.Split('=')[1], gate.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_link_makes_one_owner_who_can_sign_in_and_no_second_one()
    {
        using var data = new DataFolder();
        await using var gate = await GateProcess.StartAsync(data);
        var link = await ReadLinkAsync(data);
        using var browser = new Browser();
        using var latecomer = new Browser();
        using var opened = await browser.OpenAsync(link);
        using var openedToo = await latecomer.OpenAsync(link);

        using var enrolled = await browser.FillInAsync(opened, s_owner);
        using var refused = await latecomer.FillInAsync(openedToo, new() { ["username"] = "second", ["password"] = "correct horse" });
        using var refusedLink = await latecomer.OpenAsync(link);

        Assert.Equal(HttpStatusCode.OK, enrolled.StatusCode);
        Assert.InRange((int)refused.StatusCode, 400, 499);
        Assert.InRange((int)refusedLink.StatusCode, 400, 499);
        Assert.True(await CanSignInAsync(gate, "owner"));
        Assert.False(await CanSignInAsync(gate, "second"));
        var log = await data.ReadLogAsync();
        var acted = log.Single<OperatorActed>();
        Assert.Equal(OperatorAct.OwnerEnrolled, acted.Act);
        Assert.Equal(["enrol", "pwd"], log.All<UserAuthenticated>().Where(user => user.Subject == acted.Target).Select(user => user.Method));
        Assert.Equal(2, log.All<UserRefused>().Count(user => user.Reason == Reason.EnrolmentInvalid));
    }

    [Fact]
    public async Task The_link_is_void_once_a_user_was_added()
    {
        using var data = new DataFolder();
        await using var gate = await GateProcess.StartAsync(data);
        var link = await ReadLinkAsync(data);
        using var browser = new Browser();
        using var opened = await browser.OpenAsync(link);
        await Executable.AddUserAsync(data, "alice", "correct horse");

        using var enrolled = await browser.FillInAsync(opened, s_owner);
        using var reopened = await browser.OpenAsync(link);

        Assert.InRange((int)enrolled.StatusCode, 400, 499);
        Assert.InRange((int)reopened.StatusCode, 400, 499);
        Assert.Equal(OperatorAct.UserAdded, (await data.ReadLogAsync()).Single<OperatorActed>().Act);
    }

    [Fact]
    public async Task A_link_of_an_earlier_start_is_void()
    {
        using var data = new DataFolder();
        await using var gate = await GateProcess.StartAsync(data);
        var link = await ReadLinkAsync(data);
        await gate.StopAsync();
        await using var next = await GateProcess.StartAsync(data, gate.Port);
        using var browser = new Browser();

        using var stale = await browser.OpenAsync(link);
        using var fresh = await browser.OpenAsync(await ReadLinkAsync(data));

        Assert.InRange((int)stale.StatusCode, 400, 499);
        Assert.Equal(HttpStatusCode.OK, fresh.StatusCode);
    }

    private static async Task<bool> CanSignInAsync(GateProcess gate, string name)
    {
        using var client = await GateClient.RegisterAsync(gate.Origin);
        return await client.AuthorizeAsync(name, "correct horse") is not null;
    }

    private static string LinkFile(DataFolder data) => Path.Combine(data.Path, "owner-link");

    private static async Task<string> ReadLinkAsync(DataFolder data) =>
        (await File.ReadAllTextAsync(LinkFile(data), TestContext.Current.CancellationToken)).TrimEnd();
}
