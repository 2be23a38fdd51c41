using System.Reflection;

namespace Sallyport.Server.Configuration;

internal static class Product
{
    /// <summary>This release, for instance <c>0.1.0</c>.</summary>
    public static readonly string Version =
        typeof(Product).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];
}
