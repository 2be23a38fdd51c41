// Two slices of a made-up server, one of which references the other where it is easily overlooked: the architecture test has to find it.

namespace Sallyport.Tests.House.Planted.Authorization.Register
{
    internal static class Registered
    {
        public static int Count { get; set; }
    }
}

namespace Sallyport.Tests.House.Planted.Authorization.Token
{
    internal static class Guilty
    {
        public static async Task<int> CountAsync()
        {
            await Task.Yield();
            return Register.Registered.Count;
        }
    }

    internal static class Innocent
    {
        public static int Count { get; set; }
    }
}
