using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Configuration;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Pipeline.Pages;
using Sallyport.Server.Protocol;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Authorization.Consent;

/// <summary>
/// The user's decision about one client, and the code that follows from it. What is granted comes from the sealed transaction
/// alone; the form adds nothing but the decision, and whether it is to be remembered. Where it is, there is no page the next time.
/// </summary>
internal sealed class ConsentEndpoint(
    TransactionSeal seal, PageForm pageForm, ClientStore clients, Accounts accounts, CodeIssuer codes, AuthorizationResponse response,
    GateConfiguration configuration)
{
    /// <summary>The form field of the box that is ticked.</summary>
    public const string RememberField = "remember";
    public const string Remember = "yes";

    public static void Add(IServiceCollection services)
    {
        services.AddScoped<ConsentEndpoint>();
        services.AddScoped<CodeIssuer>();
    }

    public static void Map(IEndpointRouteBuilder routes) =>
        routes.MapGatePath("/consent", PathPolicy.Page)
            .On<ConsentEndpoint>(HttpMethods.Get, (endpoint, context) => endpoint.ShowAsync(context))
            .On<ConsentEndpoint>(HttpMethods.Post, (endpoint, context) => endpoint.DecideAsync(context));

    private async Task ShowAsync(HttpContext context)
    {
        // 1. Whose transaction this is, and who is to decide.
        var (transaction, fault) = seal.Open(context.Request.Query[TransactionSeal.Field]);
        if (fault is not null)
        {
            await RefuseAsync(context, fault.Value, transaction);
            return;
        }
        if (await SignedIn.ReadAsync(context, accounts) is not { } signedIn)
        {
            GoToSignIn(context, transaction!);
            return;
        }
        (var client, fault) = await clients.FindUsableAsync(transaction!.ClientId, context.RequestAborted);
        if (client is null)
        {
            await RefuseAsync(context, fault!.Value, transaction);
            return;
        }

        // 2. Whoever wanted not to be asked again is not.
        var result = RememberedConsent.IsPossible(client, transaction)
            ? await codes.AllowAsRememberedAsync(transaction, signedIn.Session, context.RequestAborted)
            : new();
        if (result.Code is not null || result.Fault is not null)
        {
            await AnswerAsync(context, transaction, result);
            return;
        }

        // 3. All others are.
        await PageResponse.WriteAsync<ConsentPage>(context, StatusCodes.Status200OK, new()
        {
            [nameof(ConsentPage.ClientName)] = client.Name,
            [nameof(ConsentPage.Imitated)] = Lookalike.Of(client.Name, transaction.RedirectUri),
            [nameof(ConsentPage.Destination)] = RedirectUri.Destination(transaction.RedirectUri),
            [nameof(ConsentPage.RedirectUri)] = transaction.RedirectUri,
            [nameof(ConsentPage.Server)] = transaction.Audience,
            [nameof(ConsentPage.Scopes)] = transaction.Scopes,
            [nameof(ConsentPage.UserName)] = signedIn.Name,
            [nameof(ConsentPage.AccountUrl)] = configuration.PublicUrl + "/account",
            [nameof(ConsentPage.RememberedFor)] = result.CanBeRemembered ? configuration.RememberedConsentLifetime : null,
            [nameof(ConsentPage.Transaction)] = seal.Seal(transaction),
            [nameof(ConsentPage.FormToken)] = pageForm.TokenFor(context),
        });
    }

    private async Task DecideAsync(HttpContext context)
    {
        // 1. A form of ours, opened by whoever is signed in at this browser, of a transaction that is still on its way.
        var signedIn = await SignedIn.ReadAsync(context, accounts);
        var (form, unreadable) = await pageForm.ReadAsync(context);
        var (transaction, fault) = seal.Open(form?[TransactionSeal.Field]);
        if ((unreadable ?? fault) is { } reason)
        {
            await RefuseAsync(context, reason, transaction);
            return;
        }
        if (signedIn is null)
        {
            GoToSignIn(context, transaction!);
            return;
        }

        // 2. The decision.
        switch (form!["decision"])
        {
            case "allow":
                var remember = form[RememberField] == Remember;
                await AnswerAsync(context, transaction!, await codes.AllowAsync(transaction!, signedIn.Session, remember, context.RequestAborted));
                break;
            case "deny":
                await context.RecordAsync(new ConsentRefused
                {
                    Id = AuditLog.NewId(),
                    Transaction = transaction!.Id,
                    Client = transaction.ClientId,
                    Subject = signedIn.Session.Subject,
                });
                response.Denied(context, transaction);
                break;
            default:
                await RefuseAsync(context, Reason.DecisionMissing, transaction);
                break;
        }
    }

    private async Task AnswerAsync(HttpContext context, AuthorizationTransaction transaction, CodeResult result)
    {
        if (result.Fault is { } fault)
        {
            await RefuseAsync(context, fault, transaction);
            return;
        }
        context.NameEvent(result.Event!);
        response.Code(context, transaction, result.Code!);
    }

    private void GoToSignIn(HttpContext context, AuthorizationTransaction transaction)
    {
        context.Response.StatusCode = StatusCodes.Status302Found;
        context.Response.Headers.Location = seal.ToSignIn(transaction);
    }

    private static async Task RefuseAsync(HttpContext context, Reason reason, AuthorizationTransaction? transaction)
    {
        await context.RecordAsync(new AuthorizationRefused
        {
            Id = AuditLog.NewId(),
            Reason = reason,
            Client = transaction?.ClientId,
            Transaction = transaction?.Id,
        });
        await context.WritePageOrJsonAsync(reason, status: reason == Reason.ClientUnknown ? StatusCodes.Status400BadRequest : null);
    }
}
