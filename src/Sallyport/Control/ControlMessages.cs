using System.Text.Json.Serialization;
using Sallyport.Proof.Events;

namespace Sallyport.Control;

/// <summary>What a command asks a running gate to do.</summary>
internal sealed record AddUserRequest(string Name, string Password, bool IsOperator);

/// <summary>What came of it: a subject, or the reason why there is none.</summary>
internal sealed record AddUserResponse(string? Subject, Reason? Fault);

[JsonSerializable(typeof(AddUserRequest))]
[JsonSerializable(typeof(AddUserResponse))]
[JsonSourceGenerationOptions(UseStringEnumConverter = true)]
internal sealed partial class ControlJson : JsonSerializerContext;
