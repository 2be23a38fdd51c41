using Microsoft.AspNetCore.Routing;
using Sallyport.Server.Pipeline;

namespace Sallyport.Tests.House;

/// <summary>One row of the running endpoint table.</summary>
/// <param name="Method">The HTTP methods, or <c>*</c> for all others of the path.</param>
internal sealed record RouteRow(string Method, string Path, PathPolicy Policy, bool Refused)
{
    public override string ToString() =>
        $"{Method,-10} {Path,-52} {(Policy.Guard == PathGuard.Public ? "public" : "token"),-6} {(Policy.EveryOrigin ? "every origin" : "admitted origins"),-16} {(Policy.Cors ? "CORS" : "no CORS"),-7} {(Refused ? "405" : "")}".TrimEnd();
}

/// <summary>Every route of a running gate, as its endpoint table has it: what isn't declared public is guarded.</summary>
internal static class RouteInventory
{
    public static IReadOnlyList<RouteRow> Of(TestGate gate) =>
        [.. gate.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Select(endpoint => new RouteRow(
                string.Join(',', endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? ["*"]),
                endpoint.RoutePattern.RawText!,
                endpoint.Metadata.GetMetadata<PathPolicy>() ?? PathPolicy.Guarded,
                endpoint.Metadata.GetMetadata<MethodNotAllowed>() is not null))
            .OrderBy(row => row.Path, StringComparer.Ordinal).ThenBy(row => row.Method == "*").ThenBy(row => row.Method, StringComparer.Ordinal)];

    /// <summary>What the inventory has and the reviewed file has not, and the other way round.</summary>
    public static IReadOnlyList<string> Differences(TestGate gate, string goldenFile)
    {
        var rows = Of(gate).Select(row => row.ToString()).ToList();
        var golden = File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "House", goldenFile));
        return [.. rows.Except(golden).Select(row => "+ " + row), .. golden.Except(rows).Select(row => "- " + row)];
    }
}
