using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Sallyport.EndToEnd.Attacks;

/// <summary>A request as its bytes are: no library mends a target, joins headers or leaves out what it does not like.</summary>
internal sealed record RawRequest(string Method, string Target, IReadOnlyList<string> Headers, byte[]? Body)
{
    public async Task<RawAnswer> SendAsync(int port)
    {
        var head = new StringBuilder($"{Method} {Target} HTTP/1.1\r\n");
        foreach (var header in Headers)
            head.Append(header).Append("\r\n");
        if (Body is not null)
            head.Append(CultureInfo.InvariantCulture, $"Content-Length: {Body.Length}\r\n");
        head.Append("Connection: close\r\n\r\n");

        return RawAnswer.Read(await RawConnection.ExchangeAsync(port, [.. Encoding.UTF8.GetBytes(head.ToString()), .. Body ?? []]));
    }
}

/// <summary>Bytes to a server, and all that it sends until it ends the connection.</summary>
internal static class RawConnection
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    /// <exception cref="OperationCanceledException">It has not ended the connection.</exception>
    public static async Task<byte[]> ExchangeAsync(int port, byte[] sent)
    {
        using var limit = new CancellationTokenSource(s_patience, TimeProvider.System);
        using var connection = new TcpClient();
        await connection.ConnectAsync(IPAddress.Loopback, port, limit.Token);
        await using var stream = connection.GetStream();
        using var received = new MemoryStream();
        try
        {
            await stream.WriteAsync(sent, limit.Token);
        }
        catch (IOException)
        {
            // It has answered before all was sent, and reads no more.
        }
        try
        {
            await stream.CopyToAsync(received, limit.Token);
        }
        catch (IOException) when (received.Length > 0)
        {
            // Likewise: what was not read ends the connection.
        }
        return received.ToArray();
    }
}

/// <summary>An answer, read to its end.</summary>
internal sealed record RawAnswer(int Status, IReadOnlyList<(string Name, string Value)> Headers, string Body)
{
    /// <summary>The value of a header, several joined by a line end; null without one.</summary>
    public string? this[string name] =>
        Headers.Where(header => header.Name.Equals(name, StringComparison.OrdinalIgnoreCase)).Select(header => header.Value).ToList() is { Count: > 0 } values
            ? string.Join('\n', values)
            : null;

    public static RawAnswer Read(byte[] received)
    {
        var end = received.AsSpan().IndexOf("\r\n\r\n"u8);
        Assert.True(end >= 0, $"No answer but {received.Length} bytes");
        var lines = Encoding.UTF8.GetString(received, 0, end).Split("\r\n");
        var headers = lines.Skip(1).Select(line => line.Split(':', 2)).Select(parts => (Name: parts[0], Value: parts[1].Trim())).ToList();
        var body = received[(end + 4)..];
        if (headers.Any(header => header.Name.Equals("Transfer-Encoding", StringComparison.OrdinalIgnoreCase)))
            body = Unchunk(body);
        return new(int.Parse(lines[0].Split(' ')[1], CultureInfo.InvariantCulture), headers, Encoding.UTF8.GetString(body));
    }

    private static byte[] Unchunk(ReadOnlySpan<byte> chunked)
    {
        var body = new List<byte>();
        while (chunked.IndexOf("\r\n"u8) is > 0 and var line)
        {
            var length = int.Parse(chunked[..line], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            if (length == 0)
                break;
            body.AddRange(chunked.Slice(line + 2, length));
            chunked = chunked[(line + 2 + length + 2)..];
        }
        return [.. body];
    }
}
