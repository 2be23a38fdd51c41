using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using Microsoft.Extensions.Logging;

namespace Sallyport.Tests.Sinks;

/// <summary>What somebody sees who records every activity and every metric of the process, as an exporter would.</summary>
public class TraceTests
{
    private const string Traced = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01";

    [Fact]
    public async Task A_callers_trace_is_linked_to_and_is_not_the_parent_and_its_baggage_goes_nowhere()
    {
        using var recorder = new Recorder();
        await using var gate = await TestGate.StartAsync(withUser: false);
        var request = new HttpRequestMessage(HttpMethod.Get, "/healthz?marked");
        request.Headers.Add("traceparent", Traced);
        request.Headers.Add("tracestate", "vendor=canary-of-the-state");
        request.Headers.Add("baggage", "user=canary-of-the-baggage");
        request.Headers.Add("Correlation-Context", "user=canary-of-the-context");
        request.Headers.Add("Request-Id", "|canary-of-the-id.");

        using var response = await gate.Http.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var activity = await recorder.FirstAsync(activity => activity.Source.Name == "Microsoft.AspNetCore" && activity.Links.Any(link => Traced.Contains(link.Context.TraceId.ToString(), StringComparison.Ordinal)));
        Assert.Null(activity.ParentId);
        Assert.NotEqual("0123456789abcdef0123456789abcdef", activity.TraceId.ToString());
        Assert.Null(activity.TraceStateString);
        Assert.Empty(activity.Baggage);
        var link = Assert.Single(activity.Links);
        Assert.Equal("0123456789abcdef", link.Context.SpanId.ToString());
        Assert.Null(link.Context.TraceState);
        Assert.DoesNotContain(recorder.Texts(), text => text.Contains("canary-of-the", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("")]
    [InlineData("00-xyz")]
    [InlineData("00-00000000000000000000000000000000-0000000000000000-01")]
    public async Task A_trace_that_is_none_is_left_aside(string traceParent)
    {
        using var recorder = new Recorder();
        await using var gate = await TestGate.StartAsync(withUser: false);
        var request = new HttpRequestMessage(HttpMethod.Get, "/healthz");
        request.Headers.TryAddWithoutValidation("traceparent", traceParent);

        using var response = await gate.Http.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Fact]
    public async Task No_secret_is_in_any_activity_metric_or_line_of_the_most_talkative_log()
    {
        using var recorder = new Recorder();
        await using var gate = await TestGate.StartAsync(new() { Logged = LogLevel.Trace });
        var client = await TestClient.RegisterAsync(gate, "client_secret_post");
        const string state = "canary-state-0123456789";
        var code = await client.CodeAsync(TestGate.UserName, ("state", state));
        var tokens = await TestClient.ReadAsync(await client.ExchangeAsync(code));
        var refreshed = await TestClient.ReadAsync(await client.RefreshAsync(tokens.RefreshToken!));
        using var initialized = await gate.PostMcpAsync(refreshed.AccessToken, Messages.Initialize);
        using var called = await gate.PostMcpAsync(refreshed.AccessToken, Messages.Call(1, "echo", new { message = "canary-argument" }), session: initialized.Headers.GetValues("Mcp-Session-Id").Single());
        Assert.Contains("canary-argument", await called.TextAsync(), StringComparison.Ordinal);
        using var misplaced = await gate.Http.GetAsync($"/mcp?access_token={refreshed.AccessToken}", TestContext.Current.CancellationToken);
        using var enrolment = await gate.Http.GetAsync("/enrol?token=canary-enrolment", TestContext.Current.CancellationToken);
        using var forged = await gate.PostMcpAsync("canary-token", Messages.Initialize);
        await gate.StopAsync();

        string[] secrets =
        [
            TestGate.Password, state, code, client.Verifier, client.Secret!, tokens.AccessToken, tokens.RefreshToken!, refreshed.AccessToken, refreshed.RefreshToken!,
            "canary-argument", "canary-enrolment", "canary-token",
        ];
        Assert.Contains(recorder.Texts(), text => text.Contains("/mcp", StringComparison.Ordinal));
        Assert.Contains(gate.Log.Lines, line => line.StartsWith("Trace", StringComparison.Ordinal) || line.StartsWith("Debug", StringComparison.Ordinal));
        foreach (var secret in secrets)
        {
            foreach (var form in (string[])[secret, Uri.EscapeDataString(secret)])
            {
                Assert.DoesNotContain(recorder.Texts(), text => text.Contains(form, StringComparison.Ordinal));
                Assert.DoesNotContain(gate.Log.Lines, line => line.Contains(form, StringComparison.Ordinal));
            }
        }
    }

    /// <summary>Samples everything. Other tests run beside this one, so what it has is the whole process's.</summary>
    private sealed class Recorder : IDisposable
    {
        private readonly List<Activity> _activities = [];
        private readonly List<string> _metrics = [];
        private readonly SemaphoreSlim _stopped = new(0);
        private readonly ActivityListener _activityListener;
        private readonly MeterListener _meterListener = new();

        public Recorder()
        {
            _activityListener = new ActivityListener
            {
                // The tests' own client is no part of the gate.
                ShouldListenTo = source => source.Name != "System.Net.Http",
                Sample = static (ref _) => ActivitySamplingResult.AllDataAndRecorded,
                ActivityStopped = activity =>
                {
                    lock (_activities)
                        _activities.Add(activity);
                    _stopped.Release();
                },
            };
            ActivitySource.AddActivityListener(_activityListener);
            _meterListener.InstrumentPublished = (instrument, listener) => listener.EnableMeasurementEvents(instrument);
            _meterListener.SetMeasurementEventCallback<int>((instrument, _, tags, _) => Note(instrument, tags));
            _meterListener.SetMeasurementEventCallback<long>((instrument, _, tags, _) => Note(instrument, tags));
            _meterListener.SetMeasurementEventCallback<double>((instrument, _, tags, _) => Note(instrument, tags));
            _meterListener.Start();
        }

        public async Task<Activity> FirstAsync(Func<Activity, bool> predicate)
        {
            // It stops once the answer is out, which the client may see first.
            while (true)
            {
                lock (_activities)
                {
                    if (_activities.FirstOrDefault(predicate) is { } found)
                        return found;
                }
                Assert.True(await _stopped.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken), "No such activity has stopped");
            }
        }

        /// <summary>Every text that an exporter would be given.</summary>
        public IReadOnlyList<string> Texts()
        {
            lock (_activities)
            {
                lock (_metrics)
                {
                    return
                    [
                        .. _metrics,
                        .. from activity in _activities
                           from text in (IEnumerable<string?>)
                           [
                               activity.DisplayName, activity.OperationName, activity.StatusDescription, activity.TraceStateString, activity.ParentId,
                               .. activity.Baggage.Select(pair => $"{pair.Key}={pair.Value}"),
                               .. activity.TagObjects.Select(Text),
                               .. activity.Events.SelectMany(e => e.Tags.Select(Text).Append(e.Name)),
                               .. activity.Links.SelectMany(link => (link.Tags ?? []).Select(Text).Append(link.Context.TraceState)),
                           ]
                           where text is not null
                           select text,
                    ];
                }
            }
        }

        public void Dispose()
        {
            _activityListener.Dispose();
            _meterListener.Dispose();
            _stopped.Dispose();
        }

        private void Note(Instrument instrument, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            lock (_metrics)
            {
                _metrics.Add(instrument.Name);
                foreach (var tag in tags)
                    _metrics.Add(Text(tag));
            }
        }

        private static string Text(KeyValuePair<string, object?> tag) => string.Create(CultureInfo.InvariantCulture, $"{tag.Key}={tag.Value}");
    }
}
