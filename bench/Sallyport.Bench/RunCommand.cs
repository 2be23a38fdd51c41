using System.CommandLine;
using Sallyport.Bench.Measures;

namespace Sallyport.Bench;

/// <summary><c>run</c>: measures, prints tables and keeps the results.</summary>
internal static class RunCommand
{
    private static readonly Argument<string> s_part = new("PART") { Description = "gate, token, start, verify, search, import or all", DefaultValueFactory = _ => "all" };
    private static readonly Option<int> s_rounds = new("--rounds") { Description = "How many rounds", DefaultValueFactory = _ => 5 };
    private static readonly Option<int> s_seconds = new("--seconds") { Description = "How long each load lasts", DefaultValueFactory = _ => 10 };

    private static readonly Option<int> s_events = new("--events") { Description = "How many events the log that is verified or searched has", DefaultValueFactory = _ => 1_000_000 };

    private static readonly Option<int> s_megabytes = new("--megabytes") { Description = "How long the access log that is imported is", DefaultValueFactory = _ => 1_000 };

    public static Command Create()
    {
        s_part.AcceptOnlyFromAmong("gate", "token", "start", "verify", "search", "import", "all");
        s_rounds.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() < 1)
                result.AddError("--rounds has to be 1 or more");
        });
        var command = new Command("run", "Measure") { s_part, s_rounds, s_seconds, s_events, s_megabytes };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var part = parsed.GetValue(s_part)!;
        var rounds = parsed.GetValue(s_rounds);
        var seconds = parsed.GetValue(s_seconds);
        var results = new Results();
        try
        {
            if (part is "gate" or "all")
                await GateMeasure.RunAsync(rounds, seconds, results);
            if (part is "token" or "all")
                await TokenMeasure.RunAsync(rounds, results);
            if (part is "start" or "all")
                await StartMeasure.RunAsync(rounds, results);
            if (part is "verify" or "all")
                await VerifyMeasure.RunAsync(rounds, parsed.GetValue(s_events), results);
            if (part is "search" or "all")
                await SearchMeasure.RunAsync(rounds, parsed.GetValue(s_events), results);
            if (part is "import" or "all")
                await ImportMeasure.RunAsync(rounds, parsed.GetValue(s_megabytes), results);
        }
        catch (BenchFault fault)
        {
            Tables.Say($"bench: {fault.Message}");
            return 1;
        }
        if (results.HasFailed)
        {
            Tables.Say("bench: the log contradicts the numbers, so they are not kept");
            return 1;
        }
        if (rounds >= Results.FewestRounds)
            await results.WriteAsync();
        else
            Tables.Say($"Fewer than {Results.FewestRounds} rounds are a look: bench/results.json stays as it was.");
        return 0;
    }
}
