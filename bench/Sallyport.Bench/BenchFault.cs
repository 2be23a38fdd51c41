namespace Sallyport.Bench;

/// <summary>A measurement that did not come about, or is worth nothing.</summary>
internal sealed class BenchFault(string problem) : Exception(problem);
