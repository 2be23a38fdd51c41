using System.Security.Cryptography;
using System.Text;
using Sallyport.Server.Pipeline;

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
