using System.CommandLine;
using Sallyport;
using Sallyport.Commands;

// Not a command that anybody types: what stands between a gate and a server's process.
if (args is [Supervisor.Name, .. var supervised])
    return Supervisor.Run(supervised);

// The table of contents: every command, one file each under Commands/.
var root = new RootCommand("Sallyport, the OAuth gate for MCP servers")
{
    ServeCommand.Create(),
    TryCommand.Create(),
    new Command("user", "Who may sign in")
    {
        UserAddCommand.Create(),
        UserListCommand.Create(),
        UserChangeCommand.Remove(),
        UserChangeCommand.Disable(),
        UserChangeCommand.Enable(),
        UserPasswordCommand.Create(),
    },
    new Command("client", "Which applications are known, and resource servers")
    {
        ClientListCommand.Create(),
        ClientShowCommand.Create(),
        ClientAddCommand.Create(),
        ClientChangeCommand.Revoke(),
        ClientChangeCommand.Disable(),
        ClientChangeCommand.Enable(),
    },
    new Command("token", "What users have granted to clients, with all its tokens")
    {
        TokenListCommand.Create(),
        TokenRevokeCommand.Create(),
    },
    new Command("audit", "The log")
    {
        AuditTailCommand.Create(),
        AuditReportCommand.Create(),
        AuditExplainCommand.Create(),
        AuditImportCommand.Create(),
        AuditVerifyCommand.Create(),
        AuditProveCommand.Create(),
        AuditExportCommand.Create(),
        AuditEraseCommand.Create(),
        AuditRotateKeyCommand.Create(),
    },
    new Command("key", "The keys behind access tokens")
    {
        KeyRotateCommand.Create(),
    },
    BackupCommand.Create(),
    RestoreCommand.Create(),
    DoctorCommand.Create(),
};
return await CommandLine.RunAsync(root, args);

/// <summary>The SDK would make it public.</summary>
internal sealed partial class Program;
