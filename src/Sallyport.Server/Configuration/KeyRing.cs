using System.Xml.Linq;
using Microsoft.AspNetCore.DataProtection.Repositories;

namespace Sallyport.Server.Configuration;

/// <summary>
/// The keys of data protection, each in a file that is whole or not there. The framework's own repository does not sync them: after
/// a loss of power there can be an empty file, with which no page works any more.
/// </summary>
internal sealed class KeyRing(string directory) : IXmlRepository
{
    public IReadOnlyCollection<XElement> GetAllElements() => [.. Directory.EnumerateFiles(directory, "*.xml").Select(Read)];

    public void StoreElement(XElement element, string friendlyName) =>
        Disk.Replace(Path.Combine(directory, friendlyName + ".xml"), file => element.Save(file));

    private static XElement Read(string path)
    {
        using var file = File.OpenRead(path);
        return XElement.Load(file);
    }
}
