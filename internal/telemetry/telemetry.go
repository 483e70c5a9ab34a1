// Package telemetry sets up OpenTelemetry traces from the standard environment
// variables (OTEL_TRACES_EXPORTER, OTEL_EXPORTER_OTLP_ENDPOINT and their kin).
// Without them nothing is traced and nothing is paid for it.
package telemetry

import (
	"context"
	"fmt"
	"os"
	"strings"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/send"
)

// Tracing makes spans; nil makes none.
type Tracing struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// Start reads the environment. Without an exporter there it answers nil.
func Start(ctx context.Context, version string) (*Tracing, error) {
	if !asked() {
		return nil, nil //nolint:nilnil // nil is a Tracing that makes no spans
	}
	exporter, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return nil, fmt.Errorf("set up traces: %w", err)
	}
	// What comes later wins: an operator may name the service otherwise
	// (OTEL_SERVICE_NAME, or service.name in OTEL_RESOURCE_ATTRIBUTES).
	about, err := resource.New(ctx, resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", "compliancelayer"), attribute.String("service.version", version)),
		resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("describe this program to traces: %w", err)
	}
	p := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	return &Tracing{provider: p, tracer: p.Tracer("compliancelayer")}, nil
}

func asked() bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return os.Getenv("OTEL_TRACES_EXPORTER") != "" || os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// Stop sends what is left.
func (t *Tracing) Stop(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// Wire is what makes attempts.
type Wire interface {
	Send(ctx context.Context, t *send.Target, l delivery.Lease) (delivery.Attempt, bool)
	Refuse(l delivery.Lease, url string, err error) delivery.Attempt
}

// Wrap gives w with a span around every attempt.
func (t *Tracing) Wrap(w Wire) Wire {
	if t == nil {
		return w
	}
	return traced{w, t.tracer}
}

type traced struct {
	Wire
	tracer trace.Tracer
}

// Send makes an attempt within a span.
func (w traced) Send(ctx context.Context, t *send.Target, l delivery.Lease) (delivery.Attempt, bool) {
	ctx, span := w.tracer.Start(ctx, "webhook attempt", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("compliancelayer.event.id", l.EventID),
		attribute.String("compliancelayer.event.type", l.EventType),
		attribute.String("compliancelayer.endpoint.id", l.EndpointID),
		attribute.String("compliancelayer.account.id", l.AccountID),
		attribute.Int64("compliancelayer.delivery.id", int64(l.ID)),
		attribute.Int("compliancelayer.attempt", l.Attempt)))
	defer span.End()
	a, unsent := w.Wire.Send(ctx, t, l)
	// OpenTelemetry's names, each only where it says something.
	if a.StatusCode != 0 {
		span.SetAttributes(attribute.Int("http.response.status_code", a.StatusCode))
	}
	if a.Class != delivery.OK {
		span.SetAttributes(attribute.String("error.type", string(a.Class)))
		span.SetStatus(codes.Error, string(a.Class))
	}
	return a, unsent
}
