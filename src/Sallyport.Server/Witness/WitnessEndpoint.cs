using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Sallyport.Proof.Events;
using Sallyport.Proof.Notes;
using Sallyport.Proof.Tree;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Protocol;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Witness;

/// <summary>
/// A witness for other logs (C2SP tlog-witness): it cosigns a checkpoint that is shown to go on from the last one that it cosigned,
/// and no other. Nobody is asked who they are; the signature of the log is what counts.
/// </summary>
internal sealed partial class WitnessEndpoint(
    GateConfiguration configuration, WitnessKey key, WitnessStore logs, StateTransaction state, TimeProvider time, ILogger<WitnessEndpoint> logger)
{
    public const string Prefix = "/witness";

    private const string LogParameter = "log";
    private const string PlainText = "text/plain; charset=utf-8";
    private const string SizeText = "text/x.tlog.size";

    public static void Add(IServiceCollection services)
    {
        services.AddScoped<WitnessEndpoint>();
        services.AddSingleton<WitnessKey>();
        services.AddHostedService(provider => provider.GetRequiredService<WitnessKey>());
    }

    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGatePath(Prefix + "/add-checkpoint", PathPolicy.Program)
            .On<WitnessEndpoint>(HttpMethods.Post, (endpoint, context) => endpoint.AddCheckpointAsync(context));
        routes.MapGatePath($"{Prefix}/{{{LogParameter}}}/checkpoint", PathPolicy.Program)
            .On<WitnessEndpoint>(HttpMethods.Get, (endpoint, context) => endpoint.ShowCheckpointAsync(context));
    }

    private async Task AddCheckpointAsync(HttpContext context)
    {
        // 1. What is asked.
        var body = await RequestBody.ReadAsync(context, Limits.AddCheckpointBytes);
        if (body is null)
        {
            await RefuseAsync(context, Reason.BodyTooLarge);
            return;
        }
        if (!AddCheckpointRequest.TryParse(body, out var request))
        {
            await RefuseAsync(context, Reason.CheckpointMalformed);
            return;
        }
        var checkpoint = request.Checkpoint;

        // 2. For a log that we know, signed by a key of it. Until here the checkpoint says what anybody wrote.
        var known = configuration.WitnessFor.Where(log => log.Name == checkpoint.Origin).ToList();
        if (known.Count == 0)
        {
            await RefuseAsync(context, Reason.CheckpointUnknownLog, checkpoint.Origin);
            return;
        }
        if (VerifiedBy(known, request.Note) is not { } verified)
        {
            await RefuseAsync(context, Reason.CheckpointUnsigned, checkpoint.Origin);
            return;
        }
        if (request.OldSize > checkpoint.Size)
        {
            await RefuseAsync(context, Reason.CheckpointMalformed, checkpoint.Origin, checkpoint);
            return;
        }

        // 3. From where we left it.
        var latest = await logs.FindAsync(checkpoint.Origin, context.RequestAborted);
        if (request.OldSize != (latest?.Size ?? 0))
        {
            await RefuseStaleAsync(context, verified, checkpoint, latest);
            return;
        }

        // 4. To where it says.
        if (!GoesOn(request, latest))
        {
            Suspect(checkpoint, latest);
            await RefuseAsync(context, Reason.CheckpointInconsistent, checkpoint.Origin, checkpoint, verified);
            return;
        }

        // 5. Kept before it is told, and only if nobody was faster.
        var cosignature = key.Cosign(request.Note.Text, time.GetUtcNow());
        var next = new WitnessedLog
        {
            Origin = checkpoint.Origin,
            OriginHash = HashOf(checkpoint.Origin),
            Size = checkpoint.Size,
            Root = checkpoint.Root.ToString(),
            Note = (verified with { Signatures = [.. verified.Signatures, cosignature] }).ToString(),
        };
        var cosigned = new WitnessCosigned { Id = AuditLog.NewId(), Origin = next.Origin, Size = next.Size, Root = next.Root };
        var first = await state.RunAsync(async () =>
        {
            var goesOn = await logs.GoOnAsync(latest, next, context.RequestAborted);
            if (goesOn)
                state.Record(cosigned);
            return goesOn;
        }, context.RequestAborted);
        if (!first)
        {
            await RefuseStaleAsync(context, verified, checkpoint, await logs.FindAsync(checkpoint.Origin, context.RequestAborted));
            return;
        }
        context.NameEvent(cosigned.Id);
        await WriteAsync(context, StatusCodes.Status200OK, PlainText, cosignature.ToString());
    }

    private async Task ShowCheckpointAsync(HttpContext context)
    {
        if (await logs.FindByHashAsync((string)context.Request.RouteValues[LogParameter]!, context.RequestAborted) is not { } log)
        {
            await RefuseAsync(context, Reason.CheckpointUnknownLog);
            return;
        }
        await WriteAsync(context, StatusCodes.Status200OK, PlainText, log.Note);
    }

    /// <summary>The note with the signatures of those keys alone; null where none has signed, or a signature that should be of one of them is not.</summary>
    private static SignedNote? VerifiedBy(List<VerifierKey> keys, SignedNote note)
    {
        var verified = new List<NoteSignature>();
        foreach (var key in keys)
        {
            if (note.Signatures.FirstOrDefault(signature => signature.Name == key.Name && signature.KeyId == key.Id) is not { } signature)
                continue;
            if (!note.IsSignedBy(key, NoteKey.Check))
                return null;
            verified.Add(signature);
        }
        return verified.Count > 0 ? note with { Signatures = verified } : null;
    }

    private static bool GoesOn(AddCheckpointRequest request, WitnessedLog? latest)
    {
        var root = TreeHash.Empty;
        if (latest is not null && !TreeHash.TryParse(latest.Root, out root))
            throw new InvalidDataException($"The root of {latest.Origin} is not one");
        // From nothing to nothing the root is that of the empty tree, whoever signs another.
        return MerkleProof.IsConsistent(request.OldSize, root, request.Checkpoint.Size, request.Checkpoint.Root, request.Proof);
    }

    private static string HashOf(string origin) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(origin)));

    /// <summary>409: whoever lost our answer, or starts anew, learns where to go on from. What that hides of a fork is said all the same.</summary>
    private async Task RefuseStaleAsync(HttpContext context, SignedNote verified, Checkpoint checkpoint, WitnessedLog? latest)
    {
        var forked = IsFork(checkpoint, latest);
        if (forked || checkpoint.Size < latest?.Size)
            Suspect(checkpoint, latest);
        var reason = forked ? Reason.CheckpointInconsistent : Reason.CheckpointStale;
        await RecordAsync(context, reason, StatusCodes.Status409Conflict, checkpoint.Origin, checkpoint, forked ? verified : null);
        var size = (latest?.Size ?? 0).ToString(CultureInfo.InvariantCulture);
        await WriteAsync(context, StatusCodes.Status409Conflict, SizeText, size + "\n");
    }

    private static async Task RefuseAsync(HttpContext context, Reason reason, string? origin = null, Checkpoint? signed = null, SignedNote? evidence = null)
    {
        await RecordAsync(context, reason, OAuthError.For(reason).Status, origin, signed, evidence);
        await context.WriteJsonAsync(reason);
    }

    private static Task RecordAsync(HttpContext context, Reason reason, int status, string? origin, Checkpoint? signed, SignedNote? evidence) =>
        context.RecordAsync(new WitnessRefused
        {
            Id = AuditLog.NewId(),
            Reason = reason,
            Status = status,
            Origin = origin is null ? null : Recording.Cut(origin),
            Size = signed?.Size,
            Root = signed?.Root.ToString(),
            Note = evidence?.ToString(),
        });

    private static Task WriteAsync(HttpContext context, int status, string contentType, string text)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = contentType;
        return context.Response.WriteAsync(text);
    }

    /// <summary>Two heads of one size: no log that only grows has signed both.</summary>
    private static bool IsFork(Checkpoint checkpoint, WitnessedLog? latest) =>
        checkpoint.Size == latest?.Size && checkpoint.Root.ToString() != latest.Root;

    /// <summary>Tells the operator as much as the log's signature shows, and no more: anybody may send a true checkpoint with a wrong proof, or an old one.</summary>
    private void Suspect(Checkpoint checkpoint, WitnessedLog? latest)
    {
        var size = latest?.Size ?? 0;
        if (IsFork(checkpoint, latest) || (checkpoint.Size == 0 && checkpoint.Root != TreeHash.Empty))
            LogForked(logger, checkpoint.Origin, checkpoint.Size);
        else if (checkpoint.Size < size)
            LogOlder(logger, checkpoint.Origin, checkpoint.Size, size);
        else if (checkpoint.Size > size)
            LogNotShown(logger, checkpoint.Origin, checkpoint.Size, size);
    }

    [LoggerMessage(LogLevel.Critical, "The log {Origin} has signed two different heads of {Size} events: it was tampered with. Keep the event witness.refused, which holds the proof, and the checkpoint that this gate has.")]
    private static partial void LogForked(ILogger logger, string origin, long size);

    [LoggerMessage(LogLevel.Critical, "The log {Origin} has signed a head of {Size} events that was not shown to go on from the {Cosigned} that were cosigned: it was rewritten, or somebody sent a wrong proof. The event witness.refused holds the head.")]
    private static partial void LogNotShown(ILogger logger, string origin, long size, long cosigned);

    [LoggerMessage(LogLevel.Warning, "The log {Origin} came with a head of {Size} events, fewer than the {Cosigned} that were cosigned: it was set back, or somebody sent an old head.")]
    private static partial void LogOlder(ILogger logger, string origin, long size, long cosigned);
}
