using Sallyport.Proof.Report;

namespace Sallyport.Tests.Proof.Support;

/// <summary>A report in every format.</summary>
internal static class Rendered
{
    private const int Width = 110;

    public static (string Format, string Text)[] InEveryFormat(StatusReport report)
    {
        var blocks = ReportComposer.Compose(report);
        return [("txt", PlainRenderer.Render(blocks, Width)), ("md", MarkdownRenderer.Render(blocks)), ("html", HtmlRenderer.Render(blocks)), ("json", ReportJson.Write(report))];
    }

    /// <summary>Holds it to what was looked at, in <c>vectors/</c>; with SALLYPORT_WRITE_VECTORS=1, writes that anew.</summary>
    public static void AssertAsLookedAt(StatusReport report, string folder, string name)
    {
        foreach (var (format, text) in InEveryFormat(report))
        {
            var file = Path.Combine(VectorFiles.Root, folder, $"{name}.{format}");
            if (Environment.GetEnvironmentVariable("SALLYPORT_WRITE_VECTORS") == "1")
            {
                Directory.CreateDirectory(Path.GetDirectoryName(file)!);
                File.WriteAllText(file, text);
            }

            Assert.Equal(File.ReadAllText(file), text);
        }
    }

    public static void AssertNeverShows(StatusReport report, string formats, string never) =>
        Assert.All(InEveryFormat(report).Where(rendered => formats.Split(' ').Contains(rendered.Format)), rendered => Assert.False(rendered.Text.Contains(never, StringComparison.Ordinal), $"{rendered.Format} has it"));
}
