using System.Globalization;
using Sallyport.Proof.Events;
using Sallyport.Proof.Journal;

namespace Sallyport.Bench.Measures;

/// <summary>What a gate's log holds, read from its files on and on.</summary>
internal sealed class LogCount(string data)
{
    private readonly string _directory = Path.Combine(data, "log");
    private string? _segment;
    private int _offset;

    public long Events { get; private set; }
    public long Allowed { get; private set; }
    public long Forwarded { get; private set; }
    public long NotForwarded { get; private set; }
    public long Refused { get; private set; }
    public long TokensIssued { get; private set; }

    /// <summary>What <c>committed</c> means, as the gate's last start event says.</summary>
    public string Durability { get; private set; } = "";

    /// <summary>Counts what has come since.</summary>
    public void ReadOn()
    {
        foreach (var path in Directory.EnumerateFiles(_directory, "journal-*").Where(IsSegment).Order(StringComparer.Ordinal))
        {
            if (_segment is not null && string.CompareOrdinal(path, _segment) < 0)
                continue;
            if (path != _segment)
                (_segment, _offset) = (path, 0);
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var bytes = new byte[file.Length];
            file.ReadExactly(bytes);
            while (JournalRecord.TryRead(bytes.AsSpan(_offset), out var leaf) == JournalReadResult.Record)
            {
                _offset += JournalRecord.SizeOf(leaf.Length);
                Count(AuditEventJson.Read(leaf));
            }
        }
    }

    private static bool IsSegment(string path) => ulong.TryParse(Path.GetFileName(path).AsSpan("journal-".Length), NumberStyles.None, CultureInfo.InvariantCulture, out _);

    private void Count(AuditEvent auditEvent)
    {
        Events++;
        switch (auditEvent)
        {
            case Started started:
                Durability = started.Durability;
                break;
            case AccessAllowed:
                Allowed++;
                break;
            case AccessOutcome outcome:
                Forwarded += outcome.Forwarded.Count;
                NotForwarded += outcome.NotForwarded.Count;
                break;
            case AccessRefused or TokenRefused:
                Refused++;
                break;
            case TokenIssued:
                TokensIssued++;
                break;
            default:
                break;
        }
    }
}
