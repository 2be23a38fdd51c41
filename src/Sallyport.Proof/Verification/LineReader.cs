namespace Sallyport.Proof.Verification;

/// <summary>Reads a stream's lines, of which none that is longer than the limit is kept.</summary>
/// <param name="limit">Bytes.</param>
/// <param name="length">How many bytes to read at most: of a file that grows, what it has now.</param>
internal sealed class LineReader(Stream stream, int limit, long length = long.MaxValue)
{
    private readonly byte[] _buffer = new byte[64 * 1024];
    private readonly MemoryStream _line = new();
    private long _left = length;
    private int _start;
    private int _end;

    /// <summary>Whether a newline ended the line.</summary>
    public bool IsWhole { get; private set; }

    /// <summary>Whether the line is longer than the limit: it is given empty then.</summary>
    public bool IsTooLong { get; private set; }

    /// <summary>False at the end.</summary>
    /// <param name="line">Without its newline; good until the next call.</param>
    public bool Read(out ReadOnlySpan<byte> line)
    {
        line = [];
        (IsWhole, IsTooLong) = (false, false);
        _line.SetLength(0);
        var read = 0L;
        while (!IsWhole)
        {
            if (_start == _end)
            {
                (_start, _end) = (0, stream.Read(_buffer, 0, (int)Math.Min(_buffer.Length, _left)));
                _left -= _end;
                if (_end == 0)
                    break;
            }
            var piece = _buffer.AsSpan(_start, _end - _start);
            var newline = piece.IndexOf((byte)'\n');
            IsWhole = newline >= 0;
            if (IsWhole)
                piece = piece[..newline];
            _start += piece.Length + (IsWhole ? 1 : 0);
            // Most lines lie in the buffer as a whole.
            if (IsWhole && read == 0)
                line = piece;
            else if (read + piece.Length <= limit)
                _line.Write(piece);
            read += piece.Length;
        }
        IsTooLong = read > limit;
        if (IsTooLong)
            line = [];
        else if (line.IsEmpty)
            line = _line.GetBuffer().AsSpan(0, (int)_line.Length);
        return IsWhole || read > 0;
    }
}
