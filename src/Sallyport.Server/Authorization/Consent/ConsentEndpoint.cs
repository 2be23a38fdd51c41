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
/// alone; the form adds nothing but the decision.
/// </summary>
internal sealed class ConsentEndpoint(
    TransactionSeal seal, PageForm pageForm, ClientStore clients, GrantStore grants, Accounts accounts,
    StateTransaction state, AuthorizationResponse response, GateConfiguration configuration, TimeProvider time)
{
    public static void Add(IServiceCollection services) => services.AddScoped<ConsentEndpoint>();

    public static void Map(IEndpointRouteBuilder routes) =>
        routes.MapGatePath("/consent", PathPolicy.Page)
            .On<ConsentEndpoint>(HttpMethods.Get, (endpoint, context) => endpoint.ShowAsync(context))
            .On<ConsentEndpoint>(HttpMethods.Post, (endpoint, context) => endpoint.DecideAsync(context));

    private async Task ShowAsync(HttpContext context)
    {
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
        if (await clients.FindAsync(transaction!.ClientId, context.RequestAborted) is not { } client)
        {
            await RefuseAsync(context, Reason.ClientUnknown, transaction);
            return;
        }
        await PageResponse.WriteAsync<ConsentPage>(context, StatusCodes.Status200OK, new()
        {
            [nameof(ConsentPage.ClientName)] = client.Name,
            [nameof(ConsentPage.Imitated)] = Lookalike.Of(client.Name, transaction.RedirectUri),
            [nameof(ConsentPage.Destination)] = RedirectUri.Destination(transaction.RedirectUri),
            [nameof(ConsentPage.RedirectUri)] = transaction.RedirectUri,
            [nameof(ConsentPage.Server)] = transaction.Audience,
            [nameof(ConsentPage.Scopes)] = transaction.Scopes,
            [nameof(ConsentPage.UserName)] = signedIn.Name,
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
                await AllowAsync(context, transaction!, signedIn.Session);
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

    private async Task AllowAsync(HttpContext context, AuthorizationTransaction transaction, BrowserSession session)
    {
        var now = time.GetUtcNow();
        var code = OpaqueSecret.New(OpaqueSecret.CodePrefix);
        var grant = new Grant
        {
            Id = RandomId.New(),
            ClientId = transaction.ClientId,
            Subject = session.Subject,
            Audience = transaction.Audience,
            Scope = Scope.Format(transaction.Scopes),
            ConsentId = RandomId.New(),
            TransactionId = transaction.Id,
            CreatedAt = now,
            CodeId = RandomId.New(),
            CodeHash = OpaqueSecret.Hash(code),
            CodeExpiresAt = now + configuration.CodeLifetime,
            RedirectUri = transaction.RedirectUri,
            CodeChallenge = transaction.CodeChallenge,
        };
        var issued = new CodeIssued
        {
            Id = AuditLog.NewId(),
            Code = grant.CodeId,
            Grant = grant.Id,
            Consent = grant.ConsentId,
            Client = grant.ClientId,
            Subject = grant.Subject,
            Expires = grant.CodeExpiresAt,
        };
        var fault = await state.RunAsync<Reason?>(async () =>
        {
            if (await clients.FindAsync(grant.ClientId, context.RequestAborted) is null)
                return Reason.ClientUnknown;
            if (!await grants.AddAsync(grant, context.RequestAborted))
                return Reason.TransactionUsed;
            state.Record(new ConsentGiven
            {
                Id = AuditLog.NewId(),
                Consent = grant.ConsentId,
                Transaction = transaction.Id,
                Authentication = session.Authentication,
                Client = grant.ClientId,
                Subject = grant.Subject,
                Audience = grant.Audience,
                Scopes = transaction.Scopes,
            });
            var isConstant = await grants.HasUsedChallengeAsync(grant.ClientId, grant.CodeChallenge, Limits.CodesPerChallenge, context.RequestAborted);
            state.Record(isConstant ? issued with { Warning = Reason.PkceConstantChallenge } : issued);
            return null;
        }, context.RequestAborted);
        if (fault is not null)
        {
            await RefuseAsync(context, fault.Value, transaction);
            return;
        }
        context.NameEvent(issued.Id);
        response.Code(context, transaction, code);
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
