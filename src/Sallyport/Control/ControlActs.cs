using Microsoft.Extensions.DependencyInjection;
using Sallyport.Server.Audit.Values;
using Sallyport.Server.Operation;

namespace Sallyport.Control;

/// <summary>All that commands change, and how.</summary>
internal static class ControlActs
{
    public static readonly ControlAct<AddUserRequest, AddUserResponse> AddUser = new(
        "user add", ControlJson.Default.AddUserRequest, ControlJson.Default.AddUserResponse, async (services, request, cancellationToken) =>
        {
            var (subject, fault) = await services.GetRequiredService<UserActs>().AddAsync(request.Name, request.Password, request.IsOperator, cancellationToken);
            return new(subject, fault);
        });

    public static readonly ControlAct<UserRequest, UserResponse> RemoveUser = OfUser("user remove", (acts, name, cancellationToken) => acts.RemoveAsync(name, cancellationToken));

    public static readonly ControlAct<UserRequest, UserResponse> DisableUser = OfUser("user disable", (acts, name, cancellationToken) => acts.DisableAsync(name, cancellationToken));

    public static readonly ControlAct<UserRequest, UserResponse> EnableUser = OfUser("user enable", (acts, name, cancellationToken) => acts.EnableAsync(name, cancellationToken));

    public static readonly ControlAct<SetPasswordRequest, AddUserResponse> SetPassword = new(
        "user password", ControlJson.Default.SetPasswordRequest, ControlJson.Default.AddUserResponse, async (services, request, cancellationToken) =>
        {
            var (subject, fault) = await services.GetRequiredService<UserActs>().SetPasswordAsync(request.Name, request.Password, cancellationToken);
            return new(subject, fault);
        });

    public static readonly ControlAct<NewClient, AddedClient> AddClient = new(
        "client add", ControlJson.Default.NewClient, ControlJson.Default.AddedClient,
        (services, request, cancellationToken) => services.GetRequiredService<ClientActs>().AddAsync(request, cancellationToken));

    public static readonly ControlAct<ClientRequest, ClientResponse> RevokeClient = OfClient("client revoke", (acts, id, cancellationToken) => acts.RevokeAsync(id, cancellationToken));

    public static readonly ControlAct<ClientRequest, ClientResponse> DisableClient = OfClient("client disable", (acts, id, cancellationToken) => acts.DisableAsync(id, cancellationToken));

    public static readonly ControlAct<ClientRequest, ClientResponse> EnableClient = OfClient("client enable", (acts, id, cancellationToken) => acts.EnableAsync(id, cancellationToken));

    public static readonly ControlAct<RevokeGrantsRequest, RevokeGrantsResponse> RevokeGrants = new(
        "token revoke", ControlJson.Default.RevokeGrantsRequest, ControlJson.Default.RevokeGrantsResponse, async (services, request, cancellationToken) =>
        {
            var acts = services.GetRequiredService<GrantActs>();
            return new(request.Grant is not { } grant
                ? await acts.RevokeAllAsync(request.User, request.Client, cancellationToken)
                : await acts.RevokeAsync(grant, cancellationToken) ? [grant] : null);
        });

    public static readonly ControlAct<EraseRequest, EraseResponse> Erase = new(
        "audit erase", ControlJson.Default.EraseRequest, ControlJson.Default.EraseResponse, async (services, request, cancellationToken) =>
        {
            try
            {
                var erasure = new Erasure(request.Subject, request.Address, request.UsedLastBefore);
                return new(await services.GetRequiredService<OperatorActs>().EraseValuesAsync(erasure, cancellationToken), null);
            }
            catch (ValuesUnavailableException exception)
            {
                return new(null, exception.Message);
            }
        });

    public static readonly ControlAct<RotateKeyRequest, RotateKeyResponse> RotateKey = new(
        "audit rotate-key", ControlJson.Default.RotateKeyRequest, ControlJson.Default.RotateKeyResponse,
        async (services, _, cancellationToken) => new(await services.GetRequiredService<OperatorActs>().RotateLogKeyAsync(cancellationToken)));

    public static readonly ControlAct<RotateTokenKeyRequest, RotateTokenKeyResponse> RotateTokenKey = new(
        "key rotate", ControlJson.Default.RotateTokenKeyRequest, ControlJson.Default.RotateTokenKeyResponse, async (services, request, cancellationToken) =>
        {
            try
            {
                var key = await services.GetRequiredService<OperatorActs>().RotateTokenKeyAsync(request.AtOnce, cancellationToken);
                return new(key.KeyId, key.SignsFrom, null);
            }
            catch (IOException exception)
            {
                return new(null, null, exception.Message);
            }
        });

    public static readonly IReadOnlyList<ControlAct> All =
        [AddUser, RemoveUser, DisableUser, EnableUser, SetPassword, AddClient, RevokeClient, DisableClient, EnableClient, RevokeGrants, Erase, RotateKey, RotateTokenKey];

    private static ControlAct<ClientRequest, ClientResponse> OfClient(string command, Func<ClientActs, string, CancellationToken, Task<bool>> act) => new(
        command, ControlJson.Default.ClientRequest, ControlJson.Default.ClientResponse,
        async (services, request, cancellationToken) => new(await act(services.GetRequiredService<ClientActs>(), request.Client, cancellationToken)));

    private static ControlAct<UserRequest, UserResponse> OfUser(string command, Func<UserActs, string, CancellationToken, Task<string?>> act) => new(
        command, ControlJson.Default.UserRequest, ControlJson.Default.UserResponse,
        async (services, request, cancellationToken) => new(await act(services.GetRequiredService<UserActs>(), request.Name, cancellationToken)));
}
