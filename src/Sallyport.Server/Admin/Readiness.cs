using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Hosting;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;
using Sallyport.Server.Storage;
using Sallyport.Server.Telemetry;

namespace Sallyport.Server.Admin;

/// <summary>
/// Whether requests should be sent here: 200, or 503 with the words for what is missing. An upstream that does not answer is told, and is
/// no reason: nobody else would answer for it, and without requests it would never be found to be back.
/// </summary>
internal sealed class Readiness(
    GateConfiguration configuration, AuditLog log, ReadConnections database, HeartbeatRounds heartbeats, Func<IReadOnlyList<UpstreamState>> upstreams, IHostApplicationLifetime lifetime)
{
    public async Task AnswerAsync(HttpContext context)
    {
        List<string> missing = [.. Missing()];
        context.Response.StatusCode = missing.Count == 0 ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
        context.Response.ContentType = "application/json";
        await using var writer = new Utf8JsonWriter(context.Response.BodyWriter);
        writer.WriteStartObject();
        writer.WriteBoolean("ready", missing.Count == 0);
        writer.WriteStartArray("missing");
        missing.ForEach(writer.WriteStringValue);
        writer.WriteEndArray();
        writer.WriteStartObject("upstreams");
        foreach (var state in upstreams())
            writer.WriteString(state.Upstream, state.Fault?.Word() ?? "ok");
        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    private IEnumerable<string> Missing()
    {
        if (!lifetime.ApplicationStarted.IsCancellationRequested)
            yield return "start.unfinished";
        if (lifetime.ApplicationStopping.IsCancellationRequested)
            yield return "stopping";
        if (!log.CanEnd)
            yield return "log.closed";
        else if (!log.IsOpen)
            yield return "log.full";
        if (!HasDatabase())
            yield return "database.away";
        if (!configuration.ReadyNeedsHeartbeats)
            yield break;
        if (heartbeats.AreWrong)
            yield return "heartbeat.wrong";
        if (heartbeats.AreMissing)
            yield return "heartbeat.missing";
    }

    private bool HasDatabase()
    {
        try
        {
            return database.Find("SELECT name FROM sqlite_schema LIMIT 1", static row => row.GetString(0)) is not null;
        }
        catch (SqliteException)
        {
            return false;
        }
    }
}
