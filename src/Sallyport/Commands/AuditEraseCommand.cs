using System.CommandLine;
using System.Globalization;
using System.Net;
using Microsoft.EntityFrameworkCore;
using Sallyport.Control;
using Sallyport.Log;
using Sallyport.Proof;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit.Values;
using Sallyport.Server.Configuration;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Storage;

namespace Sallyport.Commands;

/// <summary>
/// <c>audit erase</c>: names, addresses and user agents go, and the log stays whole: it only has commitments to them. Without
/// <c>--yes</c> it says what would go.
/// </summary>
internal static class AuditEraseCommand
{
    private const int MostDays = 36_500;

    private static readonly Option<string?> s_user = new("--user") { Description = "The user's name, and every address and user agent of their events", HelpName = "NAME|SUBJECT" };
    private static readonly Option<string?> s_address = new("--address") { Description = "One network address; of IPv6 its /64", HelpName = "IP" };
    private static readonly Option<string?> s_before = new("--before") { Description = "Whatever no event of the last DAYS names", HelpName = "DAYS" };
    private static readonly Option<bool> s_yes = new("--yes") { Description = "Do it; there is no way back" };

    public static Command Create()
    {
        var command = new Command("erase", "Erase values that the log has commitments to: names, addresses, user agents") { s_user, s_address, s_before, s_yes, CommandLine.Data };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var directory = CommandLine.ExistingData(parsed);
        var erasure = await ReadAsync(parsed, directory, cancellationToken);
        try
        {
            var found = erasure.Find(directory.Log);
            if (found.Count == 0)
            {
                Console.Error.WriteLine("There is nothing to erase.");
                return (int)ExitCode.Success;
            }
            if (!parsed.GetValue(s_yes))
            {
                foreach (var value in found)
                    Console.Out.WriteLine($"{value.Kind,-11} {value.Commitment} {value.Text.ToPrintable()}");
                Console.Error.WriteLine($"{Counted(found.Count)} would go for good{Shared(erasure)}. Say --yes to erase.");
                return (int)ExitCode.Success;
            }
        }
        catch (ValuesUnavailableException exception)
        {
            throw Failed(exception.Message);
        }

        var (erased, fault) = await new Operator(directory.Root, TimeProvider.System)
            .DoAsync(ControlActs.Erase, new(erasure.Subject, erasure.Address, erasure.UsedLastBefore), cancellationToken);
        if (erased is null)
            throw Failed(fault!);
        Console.Error.WriteLine($"{Counted(erased.Sum(one => one.Count))} erased{(erased.Count > 0 ? $" ({string.Join(", ", erased.Select(one => $"{one.Kind.Word()} {one.Count}"))})" : "")}.");
        if (erasure.Subject is not null)
            Console.Error.WriteLine("  The account keeps its name in the database for as long as there is the account.");
        return (int)ExitCode.Success;
    }

    private static string Counted(int count) => count == 1 ? "1 value" : $"{count.ToString(CultureInfo.InvariantCulture)} values";

    private static string Shared(Erasure erasure) => erasure.Subject is null ? "" : ", also where events of others name the same address or user agent";

    private static CommandFault Failed(string problem) =>
        new(ExitCode.Unavailable, $"The values could not be erased: {problem}", "Mend log/values.db (space, permissions) or end what reads it, then try again; 'audit tail' shows what was recorded");

    private static async Task<Erasure> ReadAsync(ParseResult parsed, DataDirectory directory, CancellationToken cancellationToken)
    {
        switch (parsed.GetValue(s_user), parsed.GetValue(s_address), parsed.GetValue(s_before))
        {
            case ({ } user, null, null):
                return new(Subject: await SubjectOfAsync(directory, user, cancellationToken)
                    ?? throw new CommandFault(ExitCode.RefusedInput, $"'{user}' is neither a user nor the subject of an event", "Give the name they sign in with, or the subject id from 'audit tail'"));
            case (null, { } text, null):
                return IPAddress.TryParse(text.EndsWith("/64", StringComparison.Ordinal) ? text[..^3] : text, out var address)
                    ? new(Address: Attribution.Text(address))
                    : throw new CommandFault(ExitCode.Usage, $"'{text}' is no address", "Write it like 203.0.113.7 or 2001:db8::1");
            case (null, null, { } age):
                return int.TryParse(age.TrimEnd('d'), NumberStyles.None, CultureInfo.InvariantCulture, out var days) && days is >= 1 and <= MostDays
                    ? new(UsedLastBefore: TimeProvider.System.GetUtcNow() - TimeSpan.FromDays(days))
                    : throw new CommandFault(ExitCode.Usage, $"'{age}' is no age", "Write a number of days, like 90");
            default:
                throw new CommandFault(ExitCode.Usage, "What is to be erased?", "Give one of --user, --address and --before");
        }
    }

    /// <summary>A user of the gate, by either; or one who is there no more, by the subject.</summary>
    private static async Task<string?> SubjectOfAsync(DataDirectory directory, string text, CancellationToken cancellationToken)
    {
        var options = new DbContextOptionsBuilder<SallyportDb>();
        SqliteDatabase.Configure(options, directory.Database);
        await using var db = new SallyportDb(options.Options);
        var subject = await db.Users
            .Where(user => user.Id == text || user.NormalizedUserName == text.ToUpperInvariant())
            .Select(user => user.Id)
            .FirstOrDefaultAsync(cancellationToken);
        return subject ?? (Erasure.CommitmentsOf(directory.Log, text).Count > 0 ? text : null);
    }
}
