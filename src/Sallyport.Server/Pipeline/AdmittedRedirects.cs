using Sallyport.Proof.Events;
using Sallyport.Server.Configuration;
using Sallyport.Server.Protocol;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Pipeline;

/// <summary>Where answers may go, as the operator has it.</summary>
internal sealed class AdmittedRedirects(GateConfiguration configuration)
{
    /// <summary>Why a client may not register this address, or null.</summary>
    public Reason? Judge(string uri) =>
        RedirectUri.Judge(uri, configuration.RedirectSchemes) ?? (Fits(uri) ? null : Reason.RedirectNotAdmitted);

    /// <summary>Whether a registered address may still be used: the operator may have narrowed the gate since. Their own clients stay.</summary>
    public bool Admits(Client client, string uri) => client.AddedByOperator || Fits(uri);

    private bool Fits(string uri) => configuration.Clients.Count == 0 || configuration.Clients.Any(entry => KnownClients.Fits(entry, uri));
}
