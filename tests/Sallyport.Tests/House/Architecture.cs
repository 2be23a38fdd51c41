using System.Reflection;
using NetArchTest.Rules;

namespace Sallyport.Tests.House;

/// <summary>Which namespaces below a root may reference which, and who does otherwise.</summary>
internal sealed class Architecture(Assembly assembly, string root)
{
    /// <summary>Each slice of the authorization server is one by itself; the gateway is one, and so are the admin listener, the findings, the heartbeat and the witness.</summary>
    public IReadOnlyList<string> Slices =>
        [.. Namespaces("Admin"), .. Namespaces("Authorization."), .. Namespaces("Gateway").Select(_ => "Gateway").Distinct(), .. Namespaces("Findings"), .. Namespaces("Heartbeat"), .. Namespaces("Operation"), .. Namespaces("Witness")];

    /// <summary>Types of a slice that reference another slice.</summary>
    public IReadOnlyList<string> CrossReferences() =>
        [.. Slices.SelectMany(slice => Violations(slice, Slices.Where(other => other != slice)))];

    /// <summary>Types of a namespace that reference one of the others.</summary>
    public IReadOnlyList<string> Violations(string from, IEnumerable<string> forbidden)
    {
        var others = forbidden.Select(name => $"{root}.{name}").ToArray();
        var result = Types.InAssembly(assembly).That().ResideInNamespace($"{root}.{from}").ShouldNot().HaveDependencyOnAny(others).GetResult();
        return [.. (result.FailingTypes ?? []).Select(type => type.FullName)];
    }

    private IEnumerable<string> Namespaces(string prefix) =>
        assembly.GetTypes()
            .Select(type => type.Namespace)
            .Where(name => name is not null && name.StartsWith($"{root}.{prefix}", StringComparison.Ordinal))
            .Select(name => name![(root.Length + 1)..])
            .Distinct();
}
