using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.IdentityModel.Tokens;
using ModelContextProtocol.AspNetCore.Authentication;

// A server that is behind no gate and judges tokens by itself, with the C# SDK's own authentication, as its sample of a protected server does.
// With --forgotten there is a second way in, at which that was forgotten. What ASP.NET Core says of requests goes to standard output: as text, or
// with --json as JSON. --urls says where; TOKEN_KEY has the key that tokens are signed with.
var builder = WebApplication.CreateBuilder([.. args.Where(argument => argument is not ("--forgotten" or "--json"))]);
if (args.Contains("--json"))
    builder.Logging.ClearProviders().AddJsonConsole();
// What it says of this machine is nobody's.
builder.Logging.AddFilter("Microsoft.Hosting", LogLevel.Warning).AddFilter("Microsoft.AspNetCore.DataProtection", LogLevel.Warning);
var url = builder.Configuration["urls"]!;
builder.Services
    .AddAuthentication(options => (options.DefaultChallengeScheme, options.DefaultAuthenticateScheme) = (McpAuthenticationDefaults.AuthenticationScheme, JwtBearerDefaults.AuthenticationScheme))
    .AddJwtBearer(options => options.TokenValidationParameters = new()
    {
        ValidIssuer = "https://issuer.example",
        ValidAudience = url + "/mcp",
        IssuerSigningKey = new SymmetricSecurityKey(Convert.FromBase64String(Environment.GetEnvironmentVariable("TOKEN_KEY")!)),
    })
    .AddMcp(options => options.ResourceMetadata = new() { AuthorizationServers = { "https://issuer.example" } });
builder.Services.AddAuthorization();
builder.Services.AddMcpServer(options => options.ServerInfo = new() { Name = "sallyport-protected", Version = "1.0.0" }).WithHttpTransport();

await using var app = builder.Build();
app.UseAuthentication();
app.UseAuthorization();
app.MapMcp("/mcp").RequireAuthorization();
if (args.Contains("--forgotten"))
    app.MapMcp("/internal/mcp");
app.Lifetime.ApplicationStarted.Register(() => Console.Error.WriteLine($"listening on port {new Uri(url).Port}"));
await app.RunAsync();
