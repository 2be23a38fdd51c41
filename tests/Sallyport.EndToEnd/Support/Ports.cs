using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Sallyport.EndToEnd.Support;

/// <summary>Free ports of the loopback interfaces.</summary>
internal static class Ports
{
    // Below the range from which systems take the ports of outgoing connections: nobody else takes one while a gate restarts.
    private const int Lowest = 20_000;
    private const int Highest = 32_000;

    public static int Free()
    {
        while (true)
        {
            var port = RandomNumberGenerator.GetInt32(Lowest, Highest);
            if (IsFree(IPAddress.Loopback, port) && (!Socket.OSSupportsIPv6 || IsFree(IPAddress.IPv6Loopback, port)))
                return port;
        }
    }

    private static bool IsFree(IPAddress address, int port)
    {
        using var listener = new TcpListener(address, port);
        try
        {
            listener.Start();
            return true;
        }
        catch (SocketException exception) when (exception.SocketErrorCode is SocketError.AddressAlreadyInUse)
        {
            return false;
        }
        catch (SocketException)
        {
            // There is no such interface here, so nobody can be in the way on it.
            return true;
        }
    }
}
