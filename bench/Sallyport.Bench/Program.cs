using System.CommandLine;
using Sallyport.Bench;
using Sallyport.Bench.Servers;

var port = new Option<int>("--port") { Description = "The loopback port to listen on", Required = true };
var upstream = new Option<int>("--upstream") { Description = "The loopback port to forward to", Required = true };

var upstreamCommand = new Command("upstream", "A small MCP server, without sessions") { port };
upstreamCommand.SetAction((parsed, cancellationToken) => UpstreamServer.RunAsync(parsed.GetValue(port), cancellationToken));

var yarpCommand = new Command("yarp", "A bare YARP forwarder") { port, upstream };
yarpCommand.SetAction((parsed, cancellationToken) => YarpServer.RunAsync(parsed.GetValue(port), parsed.GetValue(upstream), cancellationToken));

var blankCommand = new Command("blank", "A bare ASP.NET Core app that answers 401") { port };
blankCommand.SetAction((parsed, cancellationToken) => BlankServer.RunAsync(parsed.GetValue(port), cancellationToken));

var root = new RootCommand("Measures Sallyport against its peers, on this machine") { upstreamCommand, yarpCommand, blankCommand, RunCommand.Create() };
return await root.Parse(args).InvokeAsync();
