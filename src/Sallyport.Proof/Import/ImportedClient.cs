using Sallyport.Proof.Report;

namespace Sallyport.Proof.Import;

/// <summary>What an access log shows of a client. Of requests it names none: where there are several clients, these are nobody's.</summary>
internal sealed class ImportedClient
{
    private const int MostTools = 10;

    public Count Registrations { get; } = new();
    public Count Authorizations { get; } = new();
    public Count Codes { get; } = new();
    public Count Tokens { get; } = new();
    public Count Accesses { get; } = new();
    public Count Sessions { get; } = new();
    public Count ToolCalls { get; } = new();
    public Tally Tools { get; } = new();
    /// <summary>The host that it is sent back to, which says more than its id.</summary>
    public string? Returns { get; set; }

    /// <param name="isOnly">Whether it is the only one in the log.</param>
    public ClientStatus Status(string client, bool isOnly)
    {
        var (stage, next) = this switch
        {
            { ToolCalls.Total: > 0 } => ("called a tool", null),
            { Accesses.Total: > 0 } => ("was let in", null),
            { Tokens.Total: > 0 } => ("got a token", isOnly ? "no request that was let in followed" : null),
            { Codes.Total: > 0 } => ("got a code", isOnly ? "no exchange followed" : null),
            { Authorizations.Total: > 0 } => ("asked for authorization", "it did not come back with a code"),
            _ => ("registered", "it did not ask for authorization"),
        };
        return new(
            client, Returns is null ? null : $"returns to {Returns}", Registrations, Authorizations, new(), Codes, Tokens, new(), Accesses, ToolCalls, Sessions, Tools.Top(MostTools), [],
            isOnly && Tokens.Total > 0 ? $"{stage}, as the order of lines has it"
            : isOnly || Tokens.Total + Codes.Total == 0 ? stage
            : $"{stage}; whose the requests after it are, the log does not say", next);
    }
}
