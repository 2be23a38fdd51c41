using System.CommandLine;

namespace Sallyport.Commands;

internal static class TryCommand
{
    public static Command Create() => new("try", "x");
}
