using System.Text;

namespace Sallyport.Tests.Telemetry;

/// <summary>A span as it was exported.</summary>
internal sealed record OtlpSpan(string Name, int Kind, string TraceId, string SpanId, string ParentId, IReadOnlyDictionary<string, string> Attributes, IReadOnlyList<(string TraceId, string SpanId)> Links)
{
    public const int Server = 2, Client = 3;

    public bool IsRoot => ParentId.Length == 0;

    public string? this[string attribute] => Attributes.GetValueOrDefault(attribute);
}

/// <summary>Reads ExportTraceServiceRequest as far as tests need it (opentelemetry-proto, trace/v1/trace.proto).</summary>
internal static class OtlpSpans
{
    public static IReadOnlyList<OtlpSpan> Of(IEnumerable<byte[]> requests) =>
    [
        .. from request in requests
           from resource in Fields(request).Where(field => field.Number == 1)
           from scope in Fields(resource.Bytes).Where(field => field.Number == 2)
           from span in Fields(scope.Bytes).Where(field => field.Number == 2)
           select Read(span.Bytes),
    ];

    private static OtlpSpan Read(byte[] bytes)
    {
        var fields = Fields(bytes).ToList();
        return new(
            Text(fields, 5), (int)fields.First(field => field.Number == 6).Value, Hex(fields, 1), Hex(fields, 2), Hex(fields, 4),
            fields.Where(field => field.Number == 9).Select(field => Fields(field.Bytes).ToList()).ToDictionary(attribute => Text(attribute, 1), attribute => Value(attribute.First(field => field.Number == 2).Bytes)),
            [.. fields.Where(field => field.Number == 13).Select(field => Fields(field.Bytes).ToList()).Select(link => (Hex(link, 1), Hex(link, 2)))]);
    }

    private static string Value(byte[] bytes) => Fields(bytes).First() is { Number: 1, Bytes: var text } ? Encoding.UTF8.GetString(text) : Fields(bytes).First().Value.ToString(System.Globalization.CultureInfo.InvariantCulture);

    private static string Text(List<Field> fields, int number) => Encoding.UTF8.GetString(fields.FirstOrDefault(field => field.Number == number)?.Bytes ?? []);

    private static string Hex(List<Field> fields, int number) => Convert.ToHexStringLower(fields.FirstOrDefault(field => field.Number == number)?.Bytes ?? []);

    private static IEnumerable<Field> Fields(byte[] bytes)
    {
        for (var at = 0; at < bytes.Length;)
        {
            var key = Varint(bytes, ref at);
            var (number, kind) = ((int)(key >> 3), (int)(key & 7));
            switch (kind)
            {
                case 0:
                    yield return new(number, Varint(bytes, ref at), []);
                    break;
                case 1:
                    at += 8;
                    break;
                case 2:
                    var length = (int)Varint(bytes, ref at);
                    yield return new(number, 0, bytes[at..(at + length)]);
                    at += length;
                    break;
                default:
                    at += 4;
                    break;
            }
        }
    }

    private static ulong Varint(byte[] bytes, ref int at)
    {
        var value = 0UL;
        for (var shift = 0; ; shift += 7)
        {
            var each = bytes[at++];
            value |= (ulong)(each & 0x7f) << shift;
            if (each < 0x80)
                return value;
        }
    }

    private sealed record Field(int Number, ulong Value, byte[] Bytes);
}
