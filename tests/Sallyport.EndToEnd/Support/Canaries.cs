using System.Buffers;
using System.Security.Cryptography;
using System.Text;

namespace Sallyport.EndToEnd.Support;

/// <summary>Secrets that were handed to the gate or given by it, to be looked for where none may be, in every form in which they could lie there.</summary>
internal sealed class Canaries
{
    /// <summary>What is shorter may well stand somewhere by chance.</summary>
    public const int Shortest = 16;

    private readonly Dictionary<string, string> _secrets = [];
    private (int Count, SearchValues<string> Forms)? _searched;

    public int Count => _secrets.Count;

    /// <summary>A new secret of our own. It is the same in a URL, in a form, in JSON and in HTML.</summary>
    public string Plant(string name) => Note(name, "Canary" + Convert.ToHexString(RandomNumberGenerator.GetBytes(20)));

    /// <summary>A secret that the gate made.</summary>
    public string Note(string name, string secret)
    {
        Assert.True(secret.Length >= Shortest, $"{name} is too short to be looked for");
        _secrets.Add(name, secret);
        return secret;
    }

    /// <summary>One of several secrets of a name, or one that is noted already.</summary>
    public void NoteAny(string name, string secret)
    {
        if (!_secrets.ContainsValue(secret))
            Note($"{name} {_secrets.Count}", secret);
    }

    /// <summary>Which of them lie in these bytes, and as what.</summary>
    public IEnumerable<string> FindIn(byte[] bytes)
    {
        // All at once, byte for character; one by one only where there is something to name.
        if (_searched?.Count != _secrets.Count)
            _searched = (_secrets.Count, SearchValues.Create([.. _secrets.Values.SelectMany(secret => FormsOf(Encoding.UTF8.GetBytes(secret))).Select(form => Encoding.Latin1.GetString(form.Bytes))], StringComparison.Ordinal));
        return Encoding.Latin1.GetString(bytes).AsSpan().IndexOfAny(_searched.Value.Forms) < 0
            ? []
            : from secret in _secrets
              from form in FormsOf(Encoding.UTF8.GetBytes(secret.Value))
              where bytes.AsSpan().IndexOf(form.Bytes) >= 0
              select $"{secret.Key} ({form.Name})";
    }

    private static IEnumerable<(string Name, byte[] Bytes)> FormsOf(byte[] secret)
    {
        yield return ("as it is", secret);
        yield return ("UTF-16", Encoding.Unicode.GetBytes(Encoding.UTF8.GetString(secret)));
        yield return ("hex", Encoding.ASCII.GetBytes(Convert.ToHexStringLower(secret)));
        yield return ("HEX", Encoding.ASCII.GetBytes(Convert.ToHexString(secret)));
        // Wherever it begins within what was encoded; without the characters that depend on its neighbours.
        for (var before = 0; before < 3; before++)
        {
            var encoded = Convert.ToBase64String([.. new byte[before], .. secret]).TrimEnd('=');
            var inner = encoded[(before == 0 ? 0 : before + 1)..^2];
            yield return ("base64", Encoding.ASCII.GetBytes(inner));
            yield return ("base64url", Encoding.ASCII.GetBytes(inner.Replace('+', '-').Replace('/', '_')));
        }
    }
}
