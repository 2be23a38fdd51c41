using Sallyport.Server.Protocol;

namespace Sallyport.Server.Pipeline.Pages;

/// <summary>What a scope lets an application do, for people: it may "…".</summary>
internal static class ScopeText
{
    public static string Explain(string scope) => scope switch
    {
        Scope.Mcp => "use every tool that you may use",
        Scope.OfflineAccess => "stay connected while you are away",
        _ => scope,
    };
}
