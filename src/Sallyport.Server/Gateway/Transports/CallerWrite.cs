using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Sallyport.Server.Gateway.Transports;

/// <summary>
/// Writes to a caller that may not read. One that takes nothing more for half a minute is taken for gone: its connection is closed, and with
/// it ends what the upstream does for it. Without that an answer that nobody takes would be kept for hours.
/// </summary>
internal static class CallerWrite
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Who reads slowly, but reads, takes each piece in time.</summary>
    private const int Piece = 64 * 1024;

    /// <exception cref="OperationCanceledException">The caller has gone, or <paramref name="cancellationToken"/> says so.</exception>
    public static async Task WriteAsync(this HttpContext context, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        while (bytes.Length > 0)
        {
            var piece = bytes[..Math.Min(Piece, bytes.Length)];
            bytes = bytes[piece.Length..];
            var writing = context.Response.BodyWriter.WriteAsync(piece, cancellationToken);
            if (writing.IsCompletedSuccessfully)
                _ = writing.Result;
            else
                await WaitAsync(context, writing.AsTask(), cancellationToken);
        }
    }

    private static async Task WaitAsync(HttpContext context, Task writing, CancellationToken cancellationToken)
    {
        var time = context.RequestServices.GetRequiredService<TimeProvider>();
        try
        {
            await writing.WaitAsync(Patience, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            context.Abort();
            // Everybody who asks why the answer ended looks there.
            await Task.Delay(Timeout.InfiniteTimeSpan, time, context.RequestAborted);
        }
    }
}
