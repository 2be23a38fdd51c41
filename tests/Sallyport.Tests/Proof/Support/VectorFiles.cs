using System.Runtime.CompilerServices;
using System.Text.Json;

namespace Sallyport.Tests.Proof.Support;

/// <summary>What stands in <c>vectors/</c>, at the root of the repository.</summary>
internal static class VectorFiles
{
    public static string Root { get; } = Path.Combine(Repository(), "vectors");

    public static IEnumerable<JsonElement> Lines(string name) =>
        File.ReadLines(Path.Combine(Root, name)).Select(line => JsonDocument.Parse(line).RootElement);

    private static string Repository([CallerFilePath] string here = "")
    {
        var directory = new DirectoryInfo(Path.GetDirectoryName(here)!);
        while (!File.Exists(Path.Combine(directory.FullName, "Sallyport.slnx")))
            directory = directory.Parent ?? throw new InvalidOperationException("These tests run out of a clone");
        return directory.FullName;
    }
}
