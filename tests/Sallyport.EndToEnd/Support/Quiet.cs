using System.Runtime.CompilerServices;

namespace Sallyport.EndToEnd.Support;

/// <summary>Gates of these tests send themselves nothing, but where a test says so by a flag: what is in their logs is what was done to them.</summary>
internal static class Quiet
{
    [ModuleInitializer]
    public static void HeartbeatsOff() => Environment.SetEnvironmentVariable("SALLYPORT_HEARTBEAT_SECONDS", "0");
}
