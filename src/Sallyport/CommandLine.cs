using System.CommandLine;
using System.Globalization;
using System.Text;
using Microsoft.Data.Sqlite;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;
using Sallyport.Server.Gateway.Upstreams.Processes;
using Sallyport.Server.Storage;
using Spectre.Console;

namespace Sallyport;

/// <summary>A command can't do what it was asked for: what happened, and what to do.</summary>
internal sealed class CommandFault(ExitCode exitCode, string problem, string hint) : Exception(problem)
{
    public ExitCode ExitCode { get; } = exitCode;
    public string Hint { get; } = hint;
}

/// <summary>Runs commands: data goes to stdout, talk and faults to stderr.</summary>
internal static class CommandLine
{
    // https://www.sqlite.org/rescode.html
    private const int SqliteBusy = 5;
    private const int SqliteCorrupt = 11;
    private const int SqliteNotADatabase = 26;

    /// <summary>After a signal. Longer than the host itself gives its services (30 s): a slow disk must not turn a stop into a kill.</summary>
    private static readonly TimeSpan s_stopLimit = TimeSpan.FromSeconds(35);

    /// <summary>Where commands talk.</summary>
    public static readonly IAnsiConsole Talk = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });

    public static readonly Option<string?> Data = new(Setting.Data.Flag) { Description = Setting.Data.Description, HelpName = Setting.Data.Value };

    /// <summary>Of the commands about users, clients and grants.</summary>
    public static readonly Option<bool> Json = new("--json") { Description = "For programs: one JSON object a line" };

    /// <summary>The data directory of a gate that there is.</summary>
    /// <exception cref="CommandFault">There is none.</exception>
    public static DataDirectory ExistingData(ParseResult parsed)
    {
        var directory = new DataDirectory(parsed.GetValue(Data) ?? GateConfiguration.DefaultDataDirectory());
        return File.Exists(directory.Database)
            ? directory
            : throw new CommandFault(ExitCode.Unavailable, $"There is no gate's data in {directory.Root}", "Name the gate's data directory with --data; the gate prints it when it starts");
    }

    public static async Task<int> RunAsync(RootCommand root, string[] args)
    {
        try
        {
            Undumpable.Become();
        }
        catch (IOException exception)
        {
            Say(exception.Message, "Allow this process to lower its own limits and to start itself again");
            return (int)ExitCode.Unavailable;
        }
        // An argument that begins with @ is one, not a file of arguments.
        var parsed = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parsed.Errors.Count > 0)
        {
            // A command that is not there is told once, not also as one that is missing.
            foreach (var error in parsed.Errors.Where(error => parsed.UnmatchedTokens.Count == 0 || !error.Message.StartsWith("Required command", StringComparison.Ordinal)))
                Say(error.Message);
            Say("", hint: $"See '{Usage(parsed)} --help'");
            return (int)ExitCode.Usage;
        }
        try
        {
            return await parsed.InvokeAsync(new InvocationConfiguration
            {
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = s_stopLimit,
            });
        }
        catch (CommandFault fault)
        {
            Say(fault.Message, fault.Hint);
            return (int)fault.ExitCode;
        }
        catch (UpstreamFaultException fault)
        {
            Say(fault.Message, fault.Hint);
            return (int)ExitCode.Unavailable;
        }
        catch (DataDirectoryInUseException exception)
        {
            Say(exception.Message, "Stop that process, or choose another directory with --data");
            return (int)ExitCode.Unavailable;
        }
        catch (UnfinishedRestoreException exception)
        {
            Say(exception.Message, "Remove what is in that directory, and restore again");
            return (int)ExitCode.Unavailable;
        }
        catch (MissingDatabaseException exception)
        {
            Say(exception.Message, "Nothing was changed. Put the database back, or restore a backup into an empty directory; to begin a new gate, move the log away first");
            return (int)ExitCode.Unavailable;
        }
        // The second is of a file of the data directory that is larger than any, or none of its kind.
        catch (Exception exception) when (exception is DamagedLogException or InvalidDataException)
        {
            Say(exception.Message, "Nothing was changed. Keep that file as evidence, and restore the data directory from a backup");
            return (int)ExitCode.Unavailable;
        }
        catch (AuditUnavailableException exception)
        {
            Say($"The log cannot be written: {exception.InnerException?.Message ?? exception.Message}", "Nothing was changed without its record. Mend the disk (space, permissions), then try again");
            return (int)ExitCode.Unavailable;
        }
        catch (SqliteException exception)
        {
            Say($"The database cannot be used: {exception.Message}", Hint(exception));
            return (int)ExitCode.Unavailable;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Say(exception.Message, "Check the path, its permissions and the space on its disk");
            return (int)ExitCode.Unavailable;
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            Say(exception.ToString(), "This is a fault of Sallyport's: please report it with the lines above");
            return (int)ExitCode.Fault;
        }
    }

    /// <summary>Long work: on a terminal it shows how much it is through.</summary>
    /// <param name="unit">Of what it tells.</param>
    public static T WithProgress<T>(string what, Func<Action<long>, T> work, string unit = "events") => Console.IsErrorRedirected
        ? work(static _ => { })
        : Talk.Status().Start($"{what} …", status => work(done => status.Status = string.Create(CultureInfo.InvariantCulture, $"{what}: {done:N0} {unit}")));

    /// <summary>A document, to a file or to standard output; in UTF-8, whatever the terminal speaks.</summary>
    public static void Write(string text, string? file)
    {
        using var stream = file is null ? Console.OpenStandardOutput() : File.Create(file);
        stream.Write(Encoding.UTF8.GetBytes(text));
    }

    private static string Hint(SqliteException exception) => exception.SqliteErrorCode switch
    {
        SqliteCorrupt or SqliteNotADatabase => "Nothing was changed. Keep the data directory as evidence, and restore it from a backup",
        SqliteBusy => "Another process keeps it locked. Stop that one, then try again",
        _ => "Check its path, its permissions and the space on its disk",
    };

    private static string Usage(ParseResult parsed) => string.Join(' ', Names(parsed.CommandResult.Command).Reverse());

    private static IEnumerable<string> Names(Command command)
    {
        yield return command is RootCommand ? "sallyport" : command.Name;
        if (command.Parents.OfType<Command>().FirstOrDefault() is { } parent)
        {
            foreach (var name in Names(parent))
                yield return name;
        }
    }

    private static void Say(string problem, string? hint = null)
    {
        if (problem.Length > 0)
            Console.Error.WriteLine($"sallyport: {problem}");
        if (hint is not null)
            Console.Error.WriteLine($"  {hint}");
    }
}
