using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Sallyport.Proof.Events;
using Sallyport.Server.Audit;
using Sallyport.Server.Audit.Values;
using Sallyport.Server.Configuration;
using Sallyport.Server.Pipeline;
using Sallyport.Server.Pipeline.Pages;
using Sallyport.Server.Protocol;
using Sallyport.Server.Storage;

namespace Sallyport.Server.Authorization.Enrol;

/// <summary>The one-time link that the gate offers while it has no user: whoever holds it becomes the owner.</summary>
internal sealed class OwnerLink(GateConfiguration configuration)
{
    private string? _tokenHash;

    /// <summary>The link; its token is known to nobody else, and only its hash is kept.</summary>
    public string New()
    {
        var token = OpaqueSecret.New(OpaqueSecret.EnrolmentPrefix);
        Volatile.Write(ref _tokenHash, OpaqueSecret.Hash(token));
        return $"{configuration.PublicUrl}/enrol?{EnrolEndpoint.TokenField}={token}";
    }

    public bool Admits(string? token) =>
        token is not null && Volatile.Read(ref _tokenHash) is { } hash && OpaqueSecret.Matches(token, hash);
}

/// <summary>Enrols the owner. Good while there is no user, so it works once, and not beside <c>user add</c>.</summary>
internal sealed class EnrolEndpoint(OwnerLink link, PageForm pageForm, Accounts accounts, StateTransaction state, ErasableValues values)
{
    public const string TokenField = "token";

    private const string EnrolMethod = "enrol";

    public static void Add(IServiceCollection services)
    {
        services.AddSingleton<OwnerLink>();
        services.AddScoped<EnrolEndpoint>();
    }

    public static void Map(IEndpointRouteBuilder routes) =>
        routes.MapGatePath("/enrol", PathPolicy.Page)
            .On<EnrolEndpoint>(HttpMethods.Get, (endpoint, context) => endpoint.ShowAsync(context))
            .On<EnrolEndpoint>(HttpMethods.Post, (endpoint, context) => endpoint.EnrolAsync(context));

    private async Task ShowAsync(HttpContext context)
    {
        string? token = context.Request.Query[TokenField];
        if (!link.Admits(token) || await accounts.AnyAsync(context.RequestAborted))
            await RefuseAsync(context, Reason.EnrolmentInvalid);
        else
            await ShowFormAsync(context, token!, fault: null);
    }

    private async Task EnrolAsync(HttpContext context)
    {
        // 1. A form of ours, from whoever holds the link.
        var (form, unreadable) = await pageForm.ReadAsync(context);
        if (unreadable is not null || !link.Admits(form![TokenField]))
        {
            await RefuseAsync(context, unreadable ?? Reason.EnrolmentInvalid);
            return;
        }

        // 2. The first user, who operates the gate; decided within the transaction, so that two cannot both be first.
        var session = new BrowserSession("", RandomId.New());
        string? name = null;
        var fault = await state.RunAsync<Reason?>(async () =>
        {
            if (await accounts.AnyAsync(context.RequestAborted))
                return Reason.EnrolmentInvalid;
            var (user, unsuitable) = await accounts.AddAsync(form["username"] ?? "", form["password"] ?? "", isOperator: true);
            if (user is null)
                return unsuitable;
            session = session with { Subject = user.Id };
            name = values.Commit(ValueKind.UserName, user.UserName!);
            state.Record(new OperatorActed { Id = AuditLog.NewId(), Act = OperatorAct.OwnerEnrolled, Target = user.Id, Name = name });
            return null;
        }, context.RequestAborted);
        switch (fault)
        {
            case null:
                break;
            case Reason.EnrolmentInvalid:
                await RefuseAsync(context, fault.Value);
                return;
            default:
                await context.RecordAsync(new UserRefused { Id = AuditLog.NewId(), Reason = fault.Value });
                await ShowFormAsync(context, form[TokenField]!, fault);
                return;
        }

        // 3. Signed in at once.
        await context.RecordAsync(new UserAuthenticated
        {
            Id = AuditLog.NewId(),
            Subject = session.Subject,
            Authentication = session.Authentication,
            Method = EnrolMethod,
            Name = name,
        });
        await session.WriteAsync(context);
        await PageResponse.WriteAsync<EnrolledPage>(context, StatusCodes.Status200OK, []);
    }

    private Task ShowFormAsync(HttpContext context, string token, Reason? fault) =>
        PageResponse.WriteAsync<EnrolPage>(context, fault is null ? StatusCodes.Status200OK : StatusCodes.Status400BadRequest, new()
        {
            [nameof(EnrolPage.Token)] = token,
            [nameof(EnrolPage.FormToken)] = pageForm.TokenFor(context),
            [nameof(EnrolPage.Fault)] = fault,
        });

    private static async Task RefuseAsync(HttpContext context, Reason reason)
    {
        await context.RecordAsync(new UserRefused { Id = AuditLog.NewId(), Reason = reason });
        await context.WritePageOrJsonAsync(reason);
    }
}
