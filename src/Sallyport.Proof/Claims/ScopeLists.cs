namespace Sallyport.Proof.Claims;

internal static class ScopeLists
{
    /// <summary>Whether each of these is among the others. Asked for each access: there are few, and it leaves no garbage.</summary>
    public static bool IsWithin(this IReadOnlyList<string> scopes, IReadOnlyList<string> others)
    {
        for (var i = 0; i < scopes.Count; i++)
        {
            if (!Has(others, scopes[i]))
                return false;
        }
        return true;
    }

    private static bool Has(IReadOnlyList<string> scopes, string sought)
    {
        for (var i = 0; i < scopes.Count; i++)
        {
            if (scopes[i] == sought)
                return true;
        }
        return false;
    }
}
