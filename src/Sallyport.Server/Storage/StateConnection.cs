using Sallyport.Server.Configuration;

namespace Sallyport.Server.Storage;

/// <summary>
/// The connection for changes that are made in plain SQL, as the token endpoint's are. It belongs to whoever has the turn to change
/// state (docs/decisions/0035).
/// </summary>
internal sealed class StateConnection(DataDirectory directory) : PlainConnection(directory);
