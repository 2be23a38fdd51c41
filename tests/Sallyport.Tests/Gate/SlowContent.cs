using System.Text;

namespace Sallyport.Tests.Gate;

/// <summary>A message whose sender takes their time.</summary>
internal sealed class SlowContent : HttpContent
{
    private readonly byte[] _text;
    private readonly TaskCompletionSource _wanted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _sent = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public SlowContent(string text)
    {
        _text = Encoding.UTF8.GetBytes(text);
        Headers.ContentType = new("application/json");
    }

    /// <summary>The gate has asked for it: send <c>Expect: 100-continue</c> with it.</summary>
    public Task Wanted => _wanted.Task;

    public void Send() => _sent.SetResult();

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
    {
        _wanted.SetResult();
        await _sent.Task;
        await stream.WriteAsync(_text, TestContext.Current.CancellationToken);
    }

    protected override bool TryComputeLength(out long length)
    {
        length = _text.Length;
        return true;
    }
}
