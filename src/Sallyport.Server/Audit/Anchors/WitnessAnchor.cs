using System.Globalization;
using System.Net;
using System.Text;
using Sallyport.Proof.Events;
using Sallyport.Proof.Notes;
using Sallyport.Proof.Tree;

namespace Sallyport.Server.Audit.Anchors;

/// <summary>A C2SP witness by HTTP (tlog-witness, add-checkpoint): it cosigns a checkpoint that goes on from the last one it saw, and no other.</summary>
internal sealed class WitnessAnchor(VerifierKey witness, Uri prefix, HttpClient http) : IAnchor
{
    private const int MaxAnswerBytes = 64 * 1024;
    private const int Tries = 3;

    private readonly Uri _address = new(prefix.AbsoluteUri.TrimEnd('/') + "/add-checkpoint");
    private long _seen;

    public string Name => witness.Name;

    public async Task<Anchored> GiveAsync(NewCheckpoint checkpoint, CancellationToken cancellationToken)
    {
        try
        {
            for (var tries = 0; tries < Tries; tries++)
            {
                // What it saw is known from its last answer; after a start, from its refusal of a guess.
                using var request = new HttpRequestMessage(HttpMethod.Post, _address) { Content = new ByteArrayContent(Body(checkpoint)) };
                using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
                var answer = await ReadAsync(response, cancellationToken);
                switch (response.StatusCode)
                {
                    case HttpStatusCode.OK when CosignatureIn(answer, checkpoint.Note) is { } cosignature:
                        _seen = checkpoint.Head.Size;
                        return new(cosignature, null);
                    case HttpStatusCode.Conflict when long.TryParse(answer.TrimEnd('\n'), NumberStyles.None, CultureInfo.InvariantCulture, out var seen)
                        && seen <= checkpoint.Head.Size:
                        _seen = seen;
                        continue;
                    default:
                        return new(null, Reason.AnchorRefused);
                }
            }
            return new(null, Reason.AnchorRefused);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException
            || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return new(null, Reason.AnchorUnreachable);
        }
    }

    private byte[] Body(NewCheckpoint checkpoint)
    {
        var body = new StringBuilder().Append(CultureInfo.InvariantCulture, $"old {_seen}\n");
        if (_seen > 0 && _seen < checkpoint.Head.Size)
        {
            foreach (var hash in checkpoint.Consistency(_seen))
                body.Append(hash.ToString()).Append('\n');
        }
        return Encoding.UTF8.GetBytes(body.Append('\n').Append(checkpoint.Note).ToString());
    }

    private NoteSignature? CosignatureIn(string answer, SignedNote note)
    {
        foreach (var line in answer.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            // One that tells no time vouches for no newest checkpoint (tlog-cosignature).
            if (SignedNote.TryParseSignature(line, out var signature)
                && Cosignature.TimeOf(signature) > 0
                && new SignedNote(note.Text, [signature]).IsSignedBy(witness, NoteKey.Check))
                return signature;
        }
        return null;
    }

    private static async Task<string> ReadAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        var bytes = new byte[MaxAnswerBytes];
        return Encoding.UTF8.GetString(bytes, 0, await stream.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, cancellationToken));
    }
}
