using System.Text;
using Sallyport.Log;

namespace Sallyport.Export;

/// <summary>Writes events in some form, a line each.</summary>
internal interface IEventWriter
{
    /// <summary>False where the leaf is no event, and the form has no place for it.</summary>
    bool Write(EventLine line);
}

/// <summary>As the log has them.</summary>
internal sealed class JsonLinesWriter(Stream output) : IEventWriter
{
    public bool Write(EventLine line)
    {
        output.Write(Encoding.UTF8.GetBytes(line.ForPrograms()));
        output.WriteByte((byte)'\n');
        return true;
    }
}
