using System.Collections;

namespace Sallyport.Server.Gateway.Upstreams.Processes;

/// <summary>
/// The environment of a server's process: what a program needs to find its way about, by a list, and what the operator names. Nothing
/// of the gate's own (<c>SALLYPORT_…</c>), and nothing that merely happened to be in the gate's environment.
/// </summary>
internal static class ProcessEnvironment
{
    public const string OwnPrefix = "SALLYPORT_";

    private static readonly HashSet<string> s_names = new(StringComparer.Ordinal)
    {
        "HOME", "PATH", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR", "TERM",
        "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
    };

    /// <summary>Without these no program starts on Windows.</summary>
    private static readonly HashSet<string> s_windowsNames = new(StringComparer.OrdinalIgnoreCase)
    {
        "SystemRoot", "SystemDrive", "windir", "ComSpec", "PATHEXT", "Path", "TEMP", "TMP", "USERPROFILE", "USERNAME", "HOMEDRIVE",
        "HOMEPATH", "APPDATA", "LOCALAPPDATA", "ProgramData", "ProgramFiles", "NUMBER_OF_PROCESSORS", "PROCESSOR_ARCHITECTURE",
    };

    private static readonly string[] s_prefixes = ["LC_", "npm_config_"];

    /// <param name="variables">Those of this process.</param>
    /// <param name="further">Names that the operator lets through.</param>
    public static Dictionary<string, string> From(IDictionary variables, IReadOnlyList<string> further)
    {
        var environment = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (DictionaryEntry variable in variables)
        {
            var name = (string)variable.Key;
            if (!name.StartsWith(OwnPrefix, StringComparison.OrdinalIgnoreCase) && (IsListed(name) || further.Contains(name)))
                environment[name] = (string)variable.Value!;
        }
        return environment;
    }

    private static bool IsListed(string name) =>
        s_names.Contains(name)
        || s_prefixes.Any(prefix => name.StartsWith(prefix, StringComparison.Ordinal))
        || (OperatingSystem.IsWindows() && s_windowsNames.Contains(name));
}
