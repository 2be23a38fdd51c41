namespace Sallyport.EndToEnd.Support;

/// <summary>One gate for the tests of a class that do not mind each other.</summary>
public sealed class RunningGate : IAsyncLifetime
{
    internal DataFolder Data { get; } = new();

    internal GateProcess Gate { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Gate = await GateProcess.StartAsync(Data);

    public async ValueTask DisposeAsync()
    {
        await Gate.DisposeAsync();
        Data.Dispose();
    }
}
