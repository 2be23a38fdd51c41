using System.CommandLine;
using Sallyport.Log;
using Sallyport.Proof.Claims;
using Sallyport.Proof.Verification;

namespace Sallyport.Commands;

/// <summary><c>audit report</c>: whether the gate is being bypassed.</summary>
internal static class AuditReportCommand
{
    private static readonly Argument<string?> s_directory = new("DIR") { Description = "A data directory, or a log or a copy of one (default: --data)", Arity = ArgumentArity.ZeroOrOne };

    public static Command Create()
    {
        var command = new Command("report", "Say whether the gate is being bypassed, with the evidence") { s_directory, GivenCheckpoints.Option, GivenKey.Option, CommandLine.Data };
        command.SetAction(Run);
        return command;
    }

    private static int Run(ParseResult parsed)
    {
        var (files, key, given) = (LogLocation.Find(parsed, s_directory), GivenKey.Read(parsed), GivenCheckpoints.Read(parsed));
        GivenCheckpoints.RefuseOthers(given, key, files);
        ClaimJudge judge = new();
        var log = CommandLine.WithProgress("Judging", progress => LogVerification.Run(files, key, given, progress, () =>
        {
            judge = new();
            return (index, leaf) => judge.Observe(index, leaf);
        }));
        var judgement = judge.Conclude(log);
        Console.WriteLine(judgement.Verdict);
        foreach (var claim in judgement.Claims)
        {
            Console.WriteLine($"{claim.Claim} {claim.Status} {claim.Judged} {claim.FindingCount}");
            foreach (var finding in claim.Findings.Take(5))
                Console.WriteLine($"   {finding.Index}: {finding.Text} [{string.Join(' ', finding.Others)}]");
        }
        return (int)judgement.Verdict;
    }
}
