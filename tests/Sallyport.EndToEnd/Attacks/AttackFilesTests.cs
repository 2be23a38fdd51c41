using System.Text.RegularExpressions;
using Sallyport.EndToEnd.Support;
using Sallyport.Proof.Events;

namespace Sallyport.EndToEnd.Attacks;

/// <summary>No case is missing, and none passes for want of anything to do.</summary>
public sealed partial class AttackFilesTests
{
    private static readonly string s_list = Path.Combine(Repository.Root, "..", "shared", "ATTACKS.md");

    [Fact]
    public void Every_id_of_the_list_has_its_case() =>
        Assert.Equal(AttackFiles.Lines("ids.txt"), AttackFiles.Cases.Select(attackCase => attackCase.Id));

    [Fact]
    public void The_list_is_the_one_that_was_agreed_on()
    {
        // It lies beside the clone where the project is made, and nowhere else.
        if (!File.Exists(s_list))
            return;
        var groups = AttackFiles.Lines("groups.txt").ToHashSet();

        var agreed = Row().Matches(File.ReadAllText(s_list)).Select(row => row.Groups[1].Value).Where(id => groups.Contains(id.Split('-')[0]));

        Assert.Equal(agreed.Order(StringComparer.Ordinal), AttackFiles.Lines("ids.txt").Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_case_is_shown_in_one_way_or_says_why_not() => Assert.All(AttackFiles.Cases, attackCase =>
    {
        var ways = new[] { attackCase.Steps.Count + attackCase.Tests.Count > 0, attackCase.DoesNotApply is not null, attackCase.Waits is not null };
        Assert.Equal(1, ways.Count(way => way));
        Assert.All(attackCase.Reasons, reason => Assert.Contains(reason, Enum.GetValues<Reason>().Select(known => known.Word())));
    });

    [Fact]
    public void Every_test_that_a_case_names_is_there() => Assert.All(AttackFiles.Cases.SelectMany(attackCase => attackCase.Tests).Distinct(), name =>
    {
        var parts = name.Split('.');
        var (space, type, method) = (string.Join('.', parts[..^2]), parts[^2], parts[^1]);
        var source = Assert.Single(
            Directory.EnumerateFiles(Path.Combine(Repository.Root, "tests"), type + ".cs", SearchOption.AllDirectories).Select(File.ReadAllText),
            text => text.Contains($"namespace {space};", StringComparison.Ordinal));
        var at = source.IndexOf($" {method}(", StringComparison.Ordinal);
        Assert.True(at >= 0, $"There is no {name}");
        Assert.Matches(@"\[(Fact|Theory)\]", source[source.LastIndexOf("\n\n", at, StringComparison.Ordinal)..at]);
    });

    [Fact]
    public void What_a_mutant_removes_is_there_once_and_its_case_is_played()
    {
        Assert.InRange(AttackFiles.Mutants.Count, 20, int.MaxValue);
        Assert.All([.. AttackFiles.Mutants, .. AttackFiles.Bypasses], (Removal removal) =>
            Assert.Equal(2, File.ReadAllText(Path.Combine(Repository.Root, removal.File)).Split(removal.Find).Length));
        Assert.All(AttackFiles.Mutants, mutant => Assert.NotEmpty(Assert.Single(AttackFiles.Cases, attackCase => attackCase.Id == mutant.Case).Steps));
    }

    [GeneratedRegex(@"^\|([A-Z][A-Z0-9]*-[0-9]+)\|", RegexOptions.Multiline)]
    private static partial Regex Row();
}
