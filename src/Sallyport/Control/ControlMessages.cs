using System.Text.Json.Serialization;
using Sallyport.Proof.Events;
using Sallyport.Server.Operation;

namespace Sallyport.Control;

/// <summary>What a command asks a running gate to do.</summary>
internal sealed record AddUserRequest(string Name, string Password, bool IsOperator);

/// <summary>What came of it: a subject, or the reason why there is none. Neither: there is no such user.</summary>
internal sealed record AddUserResponse(string? Subject, Reason? Fault);

/// <summary>A user, by name or subject.</summary>
internal sealed record UserRequest(string Name);

/// <summary>Whom it was done to; null where there is no such user.</summary>
internal sealed record UserResponse(string? Subject);

internal sealed record SetPasswordRequest(string Name, string Password);

internal sealed record ClientRequest(string Client);

/// <summary>Whether there was such a client.</summary>
internal sealed record ClientResponse(bool Done);

/// <summary>One grant; or all of a user, of a client, or of a user at a client.</summary>
internal sealed record RevokeGrantsRequest(string? Grant, string? User, string? Client);

/// <summary>Those that ended; null where there is no such grant, user or client.</summary>
internal sealed record RevokeGrantsResponse(IReadOnlyList<string>? Grants);

/// <summary>Which values are to go: exactly one is set.</summary>
internal sealed record EraseRequest(string? Subject, string? Address, DateTimeOffset? UsedLastBefore);

/// <summary>How many of each kind are gone, or why they are not.</summary>
internal sealed record EraseResponse(IReadOnlyList<ErasedCount>? Erased, string? Fault);

/// <summary>Another key is to sign the log.</summary>
internal sealed record RotateKeyRequest;

/// <summary>The new verifier key.</summary>
internal sealed record RotateKeyResponse(string Key);

/// <summary>Another key is to sign access tokens; where asked for, at once, with all others dropped.</summary>
internal sealed record RotateTokenKeyRequest(bool AtOnce);

/// <summary>Its id, and when it begins to sign; or why there is none.</summary>
internal sealed record RotateTokenKeyResponse(string? KeyId, DateTimeOffset? SignsFrom, string? Fault);

[JsonSerializable(typeof(AddUserRequest))]
[JsonSerializable(typeof(AddUserResponse))]
[JsonSerializable(typeof(UserRequest))]
[JsonSerializable(typeof(UserResponse))]
[JsonSerializable(typeof(SetPasswordRequest))]
[JsonSerializable(typeof(NewClient))]
[JsonSerializable(typeof(AddedClient))]
[JsonSerializable(typeof(ClientRequest))]
[JsonSerializable(typeof(ClientResponse))]
[JsonSerializable(typeof(RevokeGrantsRequest))]
[JsonSerializable(typeof(RevokeGrantsResponse))]
[JsonSerializable(typeof(EraseRequest))]
[JsonSerializable(typeof(EraseResponse))]
[JsonSerializable(typeof(RotateKeyRequest))]
[JsonSerializable(typeof(RotateKeyResponse))]
[JsonSerializable(typeof(RotateTokenKeyRequest))]
[JsonSerializable(typeof(RotateTokenKeyResponse))]
[JsonSourceGenerationOptions(UseStringEnumConverter = true)]
internal sealed partial class ControlJson : JsonSerializerContext;
