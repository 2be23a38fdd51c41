global using System.Net;
global using Microsoft.Extensions.DependencyInjection;
global using Sallyport.Proof.Events;
global using Sallyport.Tests.Gate;
global using Xunit;
