using System.Security.Cryptography;
using System.Text;
using Sallyport.Server.Pipeline;
using Sallyport.Tests.Proof.Support;

namespace Sallyport.Tests.Sinks;

public class RecordedTextTests
{
    [Fact]
    public void A_text_of_64_KiB_is_cut_and_marked_and_can_be_recognised()
    {
        var text = new string('x', 64 * 1024);

        var cut = Recording.Cut(text);

        Assert.Equal($"{text[..256]}…sha256:{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..16]}", cut);
        Assert.NotEqual(cut, Recording.Cut(text + "x"));
    }

    [Fact]
    public void What_is_short_enough_stands_as_it_is() => Assert.Equal(new string('x', 256), Recording.Cut(new('x', 256)));

    [Fact]
    public void The_cut_does_not_halve_a_character() =>
        Assert.StartsWith($"{new string('x', 255)}…sha256:", Recording.Cut(new string('x', 255) + "\U0001F600 and more"));

    /// <summary>It has the one regular expression that reads what comes from outside; what is searched in vain costs as much for each character.</summary>
    [Theory]
    [InlineData("eyJ")]
    [InlineData("eyJeyJeyJeyJ.")]
    [InlineData("sp_at_sp_rt_")]
    [InlineData("eyJ-_")]
    [InlineData("s")]
    public void DOS_09_A_text_that_was_made_to_be_searched_for_long_is_not(string part)
    {
        var (text, fastest) = (string.Concat(Enumerable.Repeat(part, 1_000_000 / part.Length)), TimeSpan.MaxValue);

        for (var i = 0; i < 5; i++)
        {
            var began = TimeProvider.System.GetTimestamp();
            Recording.Cut(text);
            var took = TimeProvider.System.GetElapsedTime(began);
            fastest = took < fastest ? took : fastest;
        }

        Assert.InRange(fastest.TotalSeconds, 0, 2);
    }

    [Fact]
    public void DOS_09_No_other_regular_expression_reads_what_comes_from_outside()
    {
        var sources = Directory.EnumerateFiles(Path.Combine(VectorFiles.Root, "..", "src"), "*.cs", SearchOption.AllDirectories)
            .Where(path => File.ReadAllText(path).Contains("Regex", StringComparison.Ordinal))
            .Select(path => Path.GetFileName(path));

        // The other one reads the gate's own pages, for a demonstration.
        Assert.Equal(["Recording.cs", "ScriptedBrowser.cs"], sources.Order());
    }

    [Theory]
    [InlineData("sp_at_")]
    [InlineData("sp_rt_")]
    [InlineData("sp_cs_")]
    [InlineData("sp_code_")]
    [InlineData("sp_enrol_")]
    public void A_secret_of_ours_in_the_wrong_place_is_blotted_out(string prefix)
    {
        var secret = prefix + "AbC_09-zyxwvutsrqponmlkjihgfedcba";

        Assert.Equal($"/mcp/{prefix}…/x", Recording.Cut($"/mcp/{secret}/x"));
        // Also where it would have been cut in two.
        Assert.DoesNotContain("AbC", Recording.Cut(new string('x', 240) + secret + new string('y', 300)));
    }
}
