using System.Text;

namespace Sallyport.Proof.Verification;

/// <summary>Reads the lines that a file has now, of which none that is longer than the limit is kept. What is added meanwhile is not read.</summary>
internal sealed class LineReader(Stream stream, int limit)
{
    private readonly byte[] _buffer = new byte[64 * 1024];
    private readonly MemoryStream _line = new();
    private long _left = stream.Length;
    private int _start;
    private int _end;

    /// <summary>False at the end.</summary>
    /// <param name="line">Without its newline; null where it is longer than the limit.</param>
    /// <param name="isWhole">Whether a newline ended it.</param>
    public bool Read(out string? line, out bool isWhole)
    {
        (line, isWhole) = (null, false);
        _line.SetLength(0);
        var length = 0L;
        while (!isWhole)
        {
            if (_start == _end)
            {
                (_start, _end) = (0, stream.Read(_buffer, 0, (int)Math.Min(_buffer.Length, _left)));
                _left -= _end;
                if (_end == 0)
                    break;
            }
            var newline = Array.IndexOf(_buffer, (byte)'\n', _start, _end - _start);
            isWhole = newline >= 0;
            var piece = _buffer.AsSpan(_start, (isWhole ? newline : _end) - _start);
            length += piece.Length;
            if (length <= limit)
                _line.Write(piece);
            _start += piece.Length + (isWhole ? 1 : 0);
        }
        if (length <= limit)
            line = Encoding.UTF8.GetString(_line.GetBuffer(), 0, (int)_line.Length);
        return isWhole || length > 0;
    }
}
