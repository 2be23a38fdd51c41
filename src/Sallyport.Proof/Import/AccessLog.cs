using System.Text;
using Sallyport.Proof.Claims;
using Sallyport.Proof.Report;
using Sallyport.Proof.Verification;

namespace Sallyport.Proof.Import;

/// <summary>What the operator says about a log that is not Sallyport's.</summary>
public sealed record AccessLogScope
{
    /// <summary>Paths that a token is needed for, beside those that are named as MCP's usually are.</summary>
    public IReadOnlyList<string> Protected { get; init; } = [];

    /// <summary>Whether there was traffic before the first line: tokens may be older than the log then.</summary>
    public bool IsContinued { get; init; }
}

/// <summary>
/// Reads access logs of other servers, and asks them what a log of Sallyport's is asked. They name no token, no user and no client on the requests that were
/// let in: the best they can be is consistent with enforcement, which is not proven. One pass; memory grows with paths and clients, up to a limit.
/// </summary>
public sealed class AccessLog
{
    /// <summary>Bytes; what is longer is passed over.</summary>
    public const int MaxLine = 64 * 1024;

    private const int MostPaths = 5_000;
    private const int MostRows = 20;
    private const int MostClients = 50;
    private const int MostSamples = 5;

    private readonly AccessLogScope _scope;
    private readonly Places _places;
    private readonly FlowTracker _flows = new();
    private readonly Sessions _sessions;
    private readonly ServerTalk _talk;
    private readonly FirstAccess _firstAccess = new();
    private readonly Dictionary<Place, (Count Done, Count Refused)> _oauth = new()
    {
        [Place.Discovery] = (new(), new()), [Place.Registration] = (new(), new()), [Place.Authorization] = (new(), new()), [Place.Callback] = (new(), new()), [Place.Token] = (new(), new()),
    };
    private readonly Dictionary<string, PathRecord> _paths = new(StringComparer.Ordinal);
    private readonly Count _withPkce = new();
    private readonly Count _withResource = new();
    private readonly Count _withSecrets = new();
    private readonly Timeline _timeline = new();
    private readonly AccessLineReader _reader = new();
    private readonly List<ImportedFile> _files = [];
    private readonly List<long> _passedOver = [];
    private char[] _name = new char[256];

    private long _lines;
    private long _requests;
    private long _remarks;
    private long _unread;
    private bool _hasCallers;
    private long _mended;
    private EventRef? _first;
    private EventRef? _last;

    public AccessLog(AccessLogScope scope)
    {
        _scope = scope;
        _places = new(scope.Protected);
        _sessions = new(scope.IsContinued);
        _talk = new(_flows, _sessions);
    }

    /// <summary>Reads on, to the stream's end.</summary>
    /// <param name="name">The file's, for the report.</param>
    /// <param name="progress">Called now and then with the number of lines that were read.</param>
    public void Read(string name, Stream stream, Action<long> progress)
    {
        var before = _lines;
        var lines = new LineReader(stream, MaxLine);
        while (lines.Read(out var line))
        {
            Observe(lines.IsTooLong ? [] : line);
            if (_lines % 0x4000 == 0)
                progress(_lines);
        }
        _files.Add(new(name, before + 1, _lines));
    }

    public StatusReport Build()
    {
        // A path that has ever refused is protected, whatever it is called.
        var learned = _paths.Values.Where(path => path.Blocked.Total > 0).Select(path => path.Path).ToHashSet(StringComparer.Ordinal);
        PathRecord[] guarded =
        [
            .. _paths.Values.Where(path => path.Place is Place.Protected || (path.Place is Place.Other && learned.Contains(path.Path)))
                .Where(path => path.Allowed.Total + path.Blocked.Total + path.Forbidden.Total > 0)
                .OrderByDescending(path => path.Allowed.Total > 0).ThenByDescending(path => path.Allowed.Total + path.Blocked.Total).ThenBy(path => path.Name, StringComparer.Ordinal),
        ];
        var evidence = new ImportEvidence
        {
            Files = _files,
            Lines = _lines,
            Requests = _requests,
            Remarks = _remarks,
            Unread = _unread,
            PassedOver = _passedOver,
            HasTimes = _first?.Time is not null,
            HasCallers = _hasCallers,
            IsContinued = _scope.IsContinued,
            Discovery = _oauth[Place.Discovery],
            // A server that tells of a registration answers a request for it, too.
            Registration = (_oauth[Place.Registration].Done.Total > 0 ? _oauth[Place.Registration].Done : _talk.Registrations, _oauth[Place.Registration].Refused),
            Authorization = (Count.Sum([_oauth[Place.Authorization].Done, _oauth[Place.Callback].Done]), Count.Sum([_oauth[Place.Authorization].Refused, _oauth[Place.Callback].Refused])),
            Returned = _oauth[Place.Callback].Done,
            Exchange = _oauth[Place.Token],
            Guarded = guarded,
            Allowed = Count.Sum(guarded.Select(path => path.Allowed)),
            Blocked = Count.Sum(guarded.Select(path => path.Blocked)),
            Forbidden = Count.Sum(guarded.Select(path => path.Forbidden)),
            Handled = _talk.Handled,
            ToolCalls = _talk.ToolCalls,
            Mended = _mended,
            Asked = _oauth[Place.Authorization].Done.Total,
            WithPkce = _withPkce,
            WithResource = _withResource,
            WithSecrets = _withSecrets,
            Posted = guarded.Where(path => path.Method == "POST").Sum(path => path.Allowed.Total),
            Sessions = _sessions.Total,
            Unopened = _sessions.Unopened,
            Unearned = _firstAccess.Unearned,
            Untied = _flows.Untied,
        };
        var judgement = ImportJudge.Decide(evidence);
        var wording = new ImportWording(evidence, judgement);
        var clients = _flows.Clients.OrderByDescending(pair => pair.Value.Tokens.Total).ThenBy(pair => pair.Key, StringComparer.Ordinal).ToArray();
        return new()
        {
            Source = ReportSource.AccessLog,
            Scope = new(),
            Judgement = judgement,
            Headline = wording.Headline(),
            Sentence = wording.Sentence(),
            Strength = wording.Strength(),
            Checkpoint = null,
            Limits = wording.Limits(),
            First = _first,
            Last = _last,
            Events = _lines,
            Components = wording.Components(),
            Clients = [.. clients.Take(MostClients).Select(pair => pair.Value.Status(pair.Key, clients.Length == 1))],
            MoreClients = Math.Max(0, clients.Length - MostClients),
            Answers = wording.Answers(),
            Hints = wording.Hints(_flows.Furthest),
            Endpoints = [.. guarded.Take(MostRows).Select(path => new EndpointStatus(path.Name, path.Allowed.Total, path.Blocked.Total + path.Forbidden.Total, Reasons(path)))],
            Security = wording.Security(),
            Reasons = Reasons(guarded),
            Sample = null,
            Flow = _flows.Furthest,
            Timeline = _timeline.Buckets(),
            BucketWidth = _timeline.Width,
            NextSteps = wording.NextSteps(_flows.Clients.Where(pair => pair.Value is { Codes.Total: > 0, Tokens.Total: 0 }).Select(pair => pair.Key)),
        };
    }

    private void Observe(ReadOnlySpan<byte> line)
    {
        var number = ++_lines;
        if (_reader.TryRead(line, out var request, out line, out var time))
        {
            _requests++;
            _mended += request.IsMended ? 1 : 0;
            _hasCallers |= !request.Address.IsEmpty;
            Mark(number, request.Time);
            if (request.Value("code"u8).Length > 0 || request.Session.Length > 0 || request.Value("access_token"u8).Length > 0)
                _withSecrets.Add(number, request.Time);
            Gather(number, request);
            return;
        }
        Mark(number, time);
        if (_talk.TryRead(line, number, time, isFirst: _requests == 0))
        {
            _remarks++;
        }
        else
        {
            _unread++;
            if (_passedOver.Count < MostSamples)
                _passedOver.Add(number);
        }
    }

    private void Gather(long number, in AccessLine request)
    {
        var place = _places.Of(request);
        if (place is Place.Protected or Place.Other)
        {
            var path = RecordOf(request, place);
            path.Add(number, request, isEarly: _oauth[Place.Token].Done.Total == 0);
            _firstAccess.Asked(request, path, number);
            if (place is not Place.Protected && path.Blocked.Total == 0)
                return;
            if (request.Time is { } time && (request.IsLetIn || request.Status is 401 or 403))
                _timeline.Add(time, request.IsLetIn);
            if (request.IsLetIn)
                _flows.Accessed($"a request is let in at {path.Name}", !request.Session.IsEmpty, _sessions.LetIn(request, number), number, request.Time);
            return;
        }
        // Preflights, and documents asked for by HEAD, are no step of a flow.
        if (request.IsPreflight || request.Method.SequenceEqual("HEAD"u8))
            return;
        var (done, refused) = _oauth[place];
        if (request.Status >= 400)
        {
            refused.Add(number, request.Time);
            return;
        }
        done.Add(number, request.Time);
        switch (place)
        {
            case Place.Authorization when Text(request.Value("client_id"u8)) is { Length: > 0 } client:
                if (request.Value("code_challenge_method"u8).SequenceEqual("S256"u8))
                    _withPkce.Add(number, request.Time);
                if (request.Value("resource"u8).Length > 0)
                    _withResource.Add(number, request.Time);
                _flows.Authorized(client, Text(request.Value("state"u8)), HostOf(Text(request.Value("redirect_uri"u8))), number, request.Time);
                break;
            case Place.Callback:
                _flows.Returned(Text(request.Value("code"u8)), Text(request.Value("state"u8)), number, request.Time);
                break;
            case Place.Registration:
                _firstAccess.Registered(request);
                break;
            case Place.Token:
                _firstAccess.TokenGiven();
                _flows.Exchanged(Text(request.Value("code"u8)), number, request.Time);
                break;
        }
    }

    private void Mark(long number, DateTimeOffset? time)
    {
        _last = new(number, time ?? _last?.Time);
        _first ??= _last;
        if (_first.Time is null && time is not null)
            _first = _first with { Time = time };
    }

    private PathRecord RecordOf(in AccessLine request, Place place)
    {
        var length = request.Method.Length + 1 + request.Path.Length;
        if (_name.Length < length)
            _name = new char[length];
        Encoding.UTF8.GetChars(request.Method, _name);
        _name[request.Method.Length] = ' ';
        var name = _name.AsSpan(0, request.Method.Length + 1 + Encoding.UTF8.GetChars(request.Path, _name.AsSpan(request.Method.Length + 1)));
        if (_paths.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(name, out var record))
            return record;
        var (method, path) = (Text(request.Method), Text(request.Path));
        if (_paths.Count >= MostPaths)
        {
            // Paths come from outside. Those that are protected by name are kept apart from the rest all the same.
            path = place is Place.Protected ? "(others that MCP is spoken at)" : Tally.Others;
            if (_paths.TryGetValue($"{method} {path}", out record))
                return record;
        }
        record = new(method, path, place);
        _paths.Add(record.Name, record);
        return record;
    }

    private static List<Tallied> Reasons(params IEnumerable<PathRecord> paths)
    {
        var (blocked, forbidden) = (paths.Sum(path => path.Blocked.Total), paths.Sum(path => path.Forbidden.Total));
        var reasons = new List<Tallied>();
        if (blocked > 0)
            reasons.Add(new("401", blocked));
        if (forbidden > 0)
            reasons.Add(new("403", forbidden));
        return reasons;
    }

    private static string? HostOf(string escaped) => Uri.TryCreate(Uri.UnescapeDataString(escaped), UriKind.Absolute, out var uri) && uri.Host.Length > 0 ? uri.Host : null;

    private static string Text(ReadOnlySpan<byte> bytes) => Encoding.UTF8.GetString(bytes);
}

/// <param name="First">The number of its first line.</param>
internal sealed record ImportedFile(string Name, long First, long Last);
