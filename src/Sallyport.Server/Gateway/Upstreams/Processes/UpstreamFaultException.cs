namespace Sallyport.Server.Gateway.Upstreams.Processes;

/// <summary>What is to stand behind the gate does not work: what happened, and what to do.</summary>
internal sealed class UpstreamFaultException(string problem, string hint) : Exception(problem)
{
    public string Hint { get; } = hint;
}
