package telemetry

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/send"
)

// environment gives the test this environment of OpenTelemetry and no other.
// The tests that call it are not parallel, because the environment is the process's.
func environment(t *testing.T, set map[string]string) {
	t.Helper()
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "OTEL_") {
			t.Setenv(name, "") // an empty variable means the same as none
		}
	}
	for name, value := range set {
		t.Setenv(name, value)
	}
}

func TestTracesAreMadeWhenTheEnvironmentAsks(t *testing.T) {
	endpoint := "http://127.0.0.1:1"
	tests := []struct {
		name  string
		set   map[string]string
		makes bool
		fails bool
	}{
		{name: "nothing"},
		{name: "no exporter", set: map[string]string{"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}},
		{name: "disabled", set: map[string]string{"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "console"}},
		{name: "disabled in capitals", set: map[string]string{"OTEL_SDK_DISABLED": "TRUE", "OTEL_TRACES_EXPORTER": "console"}},
		{name: "not disabled", set: map[string]string{"OTEL_SDK_DISABLED": "false", "OTEL_TRACES_EXPORTER": "console"}, makes: true},
		{name: "the console", set: map[string]string{"OTEL_TRACES_EXPORTER": "console"}, makes: true},
		{name: "an endpoint for everything", set: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}, makes: true},
		{name: "an endpoint for traces", set: map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": endpoint}, makes: true},
		{name: "something unknown", set: map[string]string{"OTEL_TRACES_EXPORTER": "carrier-pigeon"}, fails: true},
		{name: "only a name", set: map[string]string{"OTEL_SERVICE_NAME": "hooks"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			environment(t, tt.set)
			tracing, err := Start(t.Context(), "1.2.3")
			if (err != nil) != tt.fails || (tracing != nil) != tt.makes {
				t.Errorf("start: %v, %v; want one that makes spans: %t", tracing, err, tt.makes)
			}
			if err := tracing.Stop(t.Context()); err != nil {
				t.Errorf("stop: %v", err)
			}
		})
	}
}

func TestTheServiceIsNamedByTheEnvironmentFirst(t *testing.T) {
	tests := []struct {
		name string
		set  map[string]string
		want string
	}{
		{"not at all", nil, "compliancelayer"},
		{"by its variable", map[string]string{"OTEL_SERVICE_NAME": "hooks"}, "hooks"},
		{"as an attribute", map[string]string{"OTEL_RESOURCE_ATTRIBUTES": "service.name=hooks"}, "hooks"},
		{"both ways", map[string]string{"OTEL_SERVICE_NAME": "hooks", "OTEL_RESOURCE_ATTRIBUTES": "service.name=other"}, "hooks"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			environment(t, tt.set)
			// An address that nothing is sent to before Stop, which is not called.
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
			tracing, err := Start(t.Context(), "1.2.3")
			if err != nil {
				t.Fatal(err)
			}
			spans := tracetest.NewInMemoryExporter()
			tracing.provider.RegisterSpanProcessor(sdktrace.NewSimpleSpanProcessor(spans))
			wire := tracing.Wrap(fakeWire{})
			wire.Send(t.Context(), nil, delivery.Lease{})
			about := spans.GetSpans()[0].Resource
			for key, want := range map[attribute.Key]string{"service.name": tt.want, "service.version": "1.2.3", "telemetry.sdk.language": "go"} {
				if got, _ := about.Set().Value(key); got.AsString() != want {
					t.Errorf("%s is %q, want %q", key, got.AsString(), want)
				}
			}
		})
	}
}

// fakeWire answers what it is told.
type fakeWire struct {
	attempt delivery.Attempt
	unsent  bool
}

func (w fakeWire) Send(ctx context.Context, _ *send.Target, _ delivery.Lease) (delivery.Attempt, bool) {
	a := w.attempt
	a.LocalInfo = trace.SpanContextFromContext(ctx).TraceID().String()
	return a, w.unsent
}

func (w fakeWire) Refuse(_ delivery.Lease, url string, err error) delivery.Attempt {
	a := w.attempt
	a.Hint = url + " " + err.Error()
	return a
}

func TestWithoutTracingTheWireStaysAsItIs(t *testing.T) {
	t.Parallel()
	var none *Tracing
	w := fakeWire{unsent: true}
	if got, ok := none.Wrap(w).(fakeWire); !ok || got.unsent != w.unsent {
		t.Errorf("wrapped as %T", got)
	}
	if err := none.Stop(t.Context()); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestASpanTellsHowTheAttemptEnded(t *testing.T) {
	t.Parallel()
	lease := delivery.Lease{
		ID: 42, AccountID: "acc_1", EndpointID: "ep_1", EventID: "01890a5d-ac96-774b-bcce-b302099a8057", EventType: "scan.completed", Attempt: 3,
		Body: []byte("in-the-body"),
	}
	common := []attribute.KeyValue{
		attribute.String("compliancelayer.event.id", lease.EventID), attribute.String("compliancelayer.event.type", "scan.completed"),
		attribute.String("compliancelayer.endpoint.id", "ep_1"), attribute.String("compliancelayer.account.id", "acc_1"),
		attribute.Int64("compliancelayer.delivery.id", 42), attribute.Int("compliancelayer.attempt", 3),
	}
	tests := []struct {
		name   string
		wire   fakeWire
		more   []attribute.KeyValue
		status sdktrace.Status
	}{
		{
			name: "well",
			wire: fakeWire{attempt: delivery.Attempt{Outcome: delivery.Outcome{Class: delivery.OK, StatusCode: 204}}},
			more: []attribute.KeyValue{attribute.Int("http.response.status_code", 204)},
		},
		{
			name:   "with another status",
			wire:   fakeWire{attempt: delivery.Attempt{Outcome: delivery.Outcome{Class: delivery.ServerError, StatusCode: 503}}},
			more:   []attribute.KeyValue{attribute.Int("http.response.status_code", 503), attribute.String("error.type", "server_error")},
			status: sdktrace.Status{Code: codes.Error, Description: "server_error"},
		},
		{
			name:   "without an answer",
			wire:   fakeWire{attempt: delivery.Attempt{Outcome: delivery.Outcome{Class: delivery.ConnectRefused}}, unsent: true},
			more:   []attribute.KeyValue{attribute.String("error.type", "connect_refused")},
			status: sdktrace.Status{Code: codes.Error, Description: "connect_refused"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			spans := tracetest.NewInMemoryExporter()
			p := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
			tracing := &Tracing{provider: p, tracer: p.Tracer("test")}
			a, unsent := tracing.Wrap(tt.wire).Send(t.Context(), nil, lease)
			if a.Class != tt.wire.attempt.Class || unsent != tt.wire.unsent {
				t.Errorf("answered %+v, %t; want what the wire answered", a, unsent)
			}
			all := spans.GetSpans()
			if len(all) != 1 || all[0].Name != "webhook attempt" || all[0].SpanKind != trace.SpanKindClient || all[0].EndTime.IsZero() {
				t.Fatalf("spans: %+v, want one of a client that ended", all)
			}
			if a.LocalInfo != all[0].SpanContext.TraceID().String() {
				t.Error("the attempt is not made within the span")
			}
			got, want := attribute.NewSet(all[0].Attributes...), attribute.NewSet(append(tt.more, common...)...)
			if diff := cmp.Diff(want.ToSlice(), got.ToSlice(), cmp.Comparer(func(a, b attribute.KeyValue) bool { return a == b })); diff != "" {
				t.Errorf("attributes (-want +got):\n%s", diff)
			}
			if all[0].Status != tt.status {
				t.Errorf("status %+v, want %+v", all[0].Status, tt.status)
			}
			cause := errors.New("cause")
			if a := tracing.Wrap(tt.wire).Refuse(lease, "url", cause); a.Hint != "url cause" || len(spans.GetSpans()) != 1 {
				t.Errorf("refused as %+v with %d spans, want what the wire says and none more", a, len(spans.GetSpans()))
			}
		})
	}
}
