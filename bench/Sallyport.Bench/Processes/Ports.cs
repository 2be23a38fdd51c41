using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Sallyport.Bench.Processes;

/// <summary>Free ports of the loopback interface, below the range from which outgoing connections take theirs.</summary>
internal static class Ports
{
    private const int Lowest = 20_000;
    private const int Highest = 32_000;

    public static int Free()
    {
        while (true)
        {
            var port = RandomNumberGenerator.GetInt32(Lowest, Highest);
            using var listener = new TcpListener(IPAddress.Loopback, port);
            try
            {
                listener.Start();
                return port;
            }
            catch (SocketException)
            {
                // Somebody else's.
            }
        }
    }
}
