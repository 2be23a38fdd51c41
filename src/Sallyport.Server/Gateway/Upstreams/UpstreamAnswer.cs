using System.Text.Json;
using Sallyport.Proof.Events;
using Sallyport.Server.Protocol;

namespace Sallyport.Server.Gateway.Upstreams;

/// <summary>What the gate has to know of an upstream's answers.</summary>
internal static class UpstreamAnswer
{
    /// <summary>The body, whole.</summary>
    /// <exception cref="UpstreamException">It is larger than a message may be, or broke off.</exception>
    public static async Task<byte[]> ReadAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var length = response.Content.Headers.ContentLength;
        if (length > Limits.MessageBytes)
            throw new UpstreamException(Reason.UpstreamMalformed, reached: true, "its answer is too large");
        try
        {
            await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
            if (length is { } known)
            {
                var bytes = new byte[known];
                await stream.ReadExactlyAsync(bytes, cancellationToken);
                return bytes;
            }
            using var read = new MemoryStream();
            var buffer = new byte[16 * 1024];
            while (await stream.ReadAsync(buffer, cancellationToken) is > 0 and var more)
            {
                if (read.Length + more > Limits.MessageBytes)
                    throw new UpstreamException(Reason.UpstreamMalformed, reached: true, "its answer is too large");
                read.Write(buffer, 0, more);
            }
            return read.ToArray();
        }
        catch (Exception exception) when (exception is HttpRequestException or (IOException and not UpstreamException))
        {
            throw new UpstreamException(Reason.UpstreamEnded, reached: true, "its answer broke off", exception);
        }
    }

    /// <summary>One message, whether it comes as JSON or as the first event of a stream; null where it is neither.</summary>
    /// <exception cref="UpstreamException">It is larger than a message may be, or broke off.</exception>
    public static async Task<byte[]?> ReadFirstAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        switch (response.Content.Headers.ContentType?.MediaType)
        {
            case "application/json":
                return await ReadAsync(response, cancellationToken);
            case "text/event-stream":
                await foreach (var each in EventReader.ReadAllAsync(await response.Content.ReadAsStreamAsync(cancellationToken), cancellationToken))
                {
                    if (each.Data.Length > 0)
                        return each.Data.Length <= Limits.MessageBytes ? each.Data : null;
                }
                return null;
            default:
                return null;
        }
    }

    /// <summary>The session that it opened, as it calls it.</summary>
    /// <exception cref="UpstreamException">It is no id.</exception>
    public static string? SessionOf(HttpResponseMessage response)
    {
        if (!response.Headers.TryGetValues(McpHeader.Session, out var ids) || ids.First() is not { Length: > 0 } id)
            return null;
        return id.Length <= Limits.UpstreamIdLength && !id.AsSpan().ContainsAnyExceptInRange('!', '~') ? id
            : throw new UpstreamException(Reason.UpstreamMalformed, reached: true, "its session id is none");
    }

    /// <summary>The question that it answers, well or with an error; null where it is no answer.</summary>
    public static string? IdOf(byte[] answer) => Read(answer, static root => (Member(root, "result") ?? Member(root, "error")) is null ? null : Text(Member(root, "id")));

    /// <summary>The revision that an answer to <c>initialize</c> settles on.</summary>
    public static string? RevisionOf(byte[] answer) => Read(answer, static root => Text(Member(Member(root, "result"), "protocolVersion")));

    /// <summary>The revisions that an answer to <c>server/discover</c> names, or an error that refuses the one that was asked for; null where it is neither.</summary>
    public static string[]? RevisionsOf(byte[] answer) => Read(answer, static root =>
        (Member(Member(root, "result"), "supportedVersions") ?? Member(Member(Member(root, "error"), "data"), "supported")) is { ValueKind: JsonValueKind.Array } list
            ? list.EnumerateArray().Select(each => Text(each)).OfType<string>().ToArray()
            : null);

    /// <summary>Name and version of the server, as it says.</summary>
    public static string? ServerOf(byte[] answer) => Read(answer, static root =>
        (Member(Member(root, "result"), "serverInfo") ?? Member(Member(Member(root, "result"), "_meta"), "io.modelcontextprotocol/serverInfo")) is { } info
            ? $"{Text(Member(info, "name"))} {Text(Member(info, "version"))}".Trim() : null);

    private static T? Read<T>(byte[] answer, Func<JsonElement, T?> read) where T : class
    {
        try
        {
            using var document = JsonDocument.Parse(answer);
            return read(document.RootElement);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    private static JsonElement? Member(JsonElement? of, string name) =>
        of is { ValueKind: JsonValueKind.Object } element && element.TryGetProperty(name, out var value) ? value : null;

    private static string? Text(JsonElement? of) => of is { ValueKind: JsonValueKind.String } element && element.GetString() is { Length: <= Limits.MessageTextLength } text ? text : null;
}
