using Sallyport.Tests.Proof.Support;

namespace Sallyport.Tests.House;

/// <summary>What an operator may set stands in the README, by all of its names.</summary>
public class SettingsDocumentTests
{
    private static readonly string s_readme = File.ReadAllText(Path.Combine(VectorFiles.Root, "..", "README.md"));

    public static TheoryData<string> EverySetting => [.. Setting.All.Append(Setting.Data).Select(setting => setting.Name)];

    [Theory]
    [MemberData(nameof(EverySetting))]
    public void Every_setting_has_its_row_in_the_README(string name)
    {
        var flag = Setting.All.Append(Setting.Data).Single(setting => setting.Name == name).Flag;
        var variable = "SALLYPORT_" + flag[2..].ToUpperInvariant().Replace('-', '_');

        Assert.Contains($"\n| `{flag}` | `{variable}` | `{name}` | ", s_readme, StringComparison.Ordinal);
    }
}
