using Microsoft.AspNetCore.Http;
using Sallyport.Proof.Events;

namespace Sallyport.Server.Gateway.Guard;

/// <summary>Who is calling, as the guard found it: a token that was good when this request was judged.</summary>
/// <param name="ScopesNeeded">The scopes that the judgement asked for.</param>
internal sealed record Caller(RememberedToken Token, IReadOnlyList<string> ScopesNeeded)
{
    public string Subject => Token.Subject;
    public string ClientId => Token.ClientId;

    public bool HasScopesNeeded
    {
        get
        {
            for (var i = 0; i < ScopesNeeded.Count; i++)
            {
                if (!Token.Scopes.Contains(ScopesNeeded[i], StringComparer.Ordinal))
                    return false;
            }
            return true;
        }
    }

    /// <summary>The caller of a guarded endpoint; the guard lets no request there without one.</summary>
    public static Caller Of(HttpContext context) =>
        context.Features.Get<Caller>() ?? throw new InvalidOperationException("A guarded endpoint was reached without the guard");
}

/// <summary>A token ended after it was judged, while the message was still coming, or before its answer came. The guard answers.</summary>
internal sealed class TokenEndedException(Reason reason) : Exception
{
    public Reason Reason => reason;
}
