using System.Reflection;
using Sallyport.Server;

namespace Sallyport.Tests.House;

public class ArchitectureTests
{
    private static readonly Architecture s_server = new(typeof(SallyportServer).Assembly, "Sallyport.Server");

    /// <summary>What each shared folder may not know of: the slices, and what stands above it.</summary>
    public static TheoryData<string, string[]> SharedFolders => new()
    {
        { "Protocol", ["Configuration", "Audit", "Storage", "Pipeline"] },
        { "Configuration", ["Audit", "Storage", "Pipeline"] },
        { "Audit", ["Storage", "Telemetry", "Pipeline"] },
        { "Storage", ["Telemetry", "Pipeline"] },
        { "Telemetry", ["Storage", "Pipeline"] },
        { "Pipeline", [] },
    };

    [Fact]
    public void Slices_meet_only_through_pipeline_state_and_protocol()
    {
        Assert.Equal(
            ["Admin", "Authorization.Account", "Authorization.Authorize", "Authorization.Callback", "Authorization.Consent", "Authorization.Enrol", "Authorization.Introspect", "Authorization.Keys", "Authorization.Metadata", "Authorization.Register", "Authorization.Revoke", "Authorization.SignIn", "Authorization.Token", "Findings", "Gateway", "Heartbeat", "Operation", "Witness"],
            s_server.Slices.Order());
        Assert.Empty(s_server.CrossReferences());
    }

    [Theory]
    [MemberData(nameof(SharedFolders))]
    public void What_is_shared_knows_no_slice_and_nothing_above_it(string folder, string[] above) =>
        Assert.Empty(s_server.Violations(folder, s_server.Slices.Concat(above)));

    [Fact]
    public void A_planted_reference_between_slices_is_found()
    {
        var planted = new Architecture(Assembly.GetExecutingAssembly(), "Sallyport.Tests.House.Planted");

        Assert.Equal(["Sallyport.Tests.House.Planted.Authorization.Token.Guilty"], planted.CrossReferences().Select(name => name!.Split('/', '+')[0]).Distinct());
    }

    [Fact]
    public void Proof_is_pure_no_package_no_clock_no_input_or_output()
    {
        var proof = typeof(AuditEvent).Assembly;

        Assert.All(proof.GetReferencedAssemblies(), reference => Assert.StartsWith("System.", reference.Name));
        var impure = NetArchTest.Rules.Types.InAssembly(proof)
            .ShouldNot().HaveDependencyOnAny("System.IO.File", "System.IO.FileStream", "System.Net", "System.TimeProvider", "System.Diagnostics.Stopwatch", "System.Environment", "System.Console")
            .GetResult();
        Assert.Empty(impure.FailingTypes ?? []);
    }

    [Fact]
    public void Nothing_is_public_but_Proof_and_the_exit_codes()
    {
        var @public = typeof(SallyportServer).Assembly.GetExportedTypes().Concat(typeof(ExitCode).Assembly.GetExportedTypes())
            // Razor makes its components public, and the tool that makes migrations those.
            .Where(type => !typeof(Microsoft.AspNetCore.Components.IComponent).IsAssignableFrom(type))
            .Where(type => type.Name != "_Imports")
            .Where(type => type.Namespace?.EndsWith(".Migrations", StringComparison.Ordinal) != true);

        Assert.Equal([typeof(ExitCode)], @public);
    }
}
