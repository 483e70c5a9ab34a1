package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/compliancelayer/compliancelayer/client"
)

// childVariable makes this test binary a program that delivers two events, one
// of them badly, and ends. OpenTelemetry is set up by the environment of a process
// and writes to its standard output, so it takes a process of its own.
const childVariable = "COMPLIANCELAYER_APP_TEST_CHILD"

// child is that program; what is passed to it is a folder.
func child() int {
	if err := deliverTwo(os.Getenv(childVariable)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func deliverTwo(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cfg := settings(dir)
	cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	a, err := Open(ctx, cfg)
	if err != nil {
		return err
	}
	got := make(chan bool, 2)
	r := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasSuffix(req.URL.Path, "/bad") {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = io.Copy(io.Discard, req.Body)
		got <- true
	}))
	defer r.Close()
	serving, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- a.Serve(serving) }()
	err = publishTo(ctx, a.URL(), r.URL+"/good?token=in-the-query", r.URL+"/bad")
	for range 2 {
		select {
		case <-got:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	stop()
	if ends := <-ended; ends != nil {
		return ends
	}
	return err
}

// publishTo accepts an event for two endpoints.
func publishTo(ctx context.Context, server string, urls ...string) error {
	c, err := client.New(client.Config{Server: server, APIKey: adminKey})
	if err != nil {
		return err
	}
	for _, one := range urls {
		if _, err := c.CreateEndpoint(ctx, client.NewEndpoint{URL: one, Events: []string{"*"}}); err != nil {
			return err
		}
	}
	_, err = c.Publish(ctx, client.NewEvent{Type: "domain.added", Data: json.RawMessage(`{"domain":"example.com","note":"in-the-data"}`)})
	return err
}

// span is one of the console exporter's.
type span struct {
	Name       string
	SpanKind   int
	Status     struct{ Code, Description string }
	Attributes []attribute
	Resource   []attribute
}

type attribute struct {
	Key   string
	Value struct{ Value any }
}

func attributes(all []attribute) map[string]any {
	m := map[string]any{}
	for _, a := range all {
		m[a.Key] = a.Value.Value
	}
	return m
}

// runChild runs the program with more environment and gives its standard output.
func runChild(t *testing.T, environment ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), got(os.Executable())(t))
	isOTel := func(v string) bool { return strings.HasPrefix(v, "OTEL_") }
	cmd.Env = append(slices.DeleteFunc(os.Environ(), isOTel), childVariable+"="+t.TempDir())
	cmd.Env = append(cmd.Env, environment...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("run: %v\n%s", err, errs.String())
	}
	return out.Bytes()
}

func TestSpansAreWrittenWhenTheEnvironmentAsks(t *testing.T) {
	t.Parallel()
	out := runChild(t, "OTEL_TRACES_EXPORTER=console", "OTEL_RESOURCE_ATTRIBUTES=deployment.environment=test")
	for _, secret := range []string{"whsec_", "in-the-query", "in-the-data", adminKey} {
		if bytes.Contains(out, []byte(secret)) {
			t.Errorf("%s is in the spans", secret)
		}
	}
	byCode := map[any]span{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var s span
		if err := dec.Decode(&s); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("read spans: %v\n%s", err, out)
		}
		byCode[attributes(s.Attributes)["http.response.status_code"]] = s
	}
	good, bad := byCode[200.0], byCode[503.0]
	if len(byCode) != 2 || good.Name != "webhook attempt" || bad.Name != "webhook attempt" || good.SpanKind != 3 {
		t.Fatalf("spans by status code: %+v, want an attempt with 200 and one with 503, as a client's", byCode)
	}
	if good.Status.Code != "Unset" || bad.Status.Code != "Error" || bad.Status.Description != "server_error" {
		t.Errorf("statuses: %+v and %+v, want the second an error", good.Status, bad.Status)
	}
	had := attributes(bad.Attributes)
	for _, key := range []string{"compliancelayer.event.id", "compliancelayer.endpoint.id", "compliancelayer.delivery.id"} {
		if had[key] == nil || had[key] == "" {
			t.Errorf("the span has no %s: %v", key, had)
		}
	}
	want := map[string]any{"compliancelayer.event.type": "domain.added", "compliancelayer.account.id": "acc_default", "compliancelayer.attempt": 1.0, "error.type": "server_error"}
	for key, value := range want {
		if diff := cmp.Diff(value, had[key]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
	resource := attributes(good.Resource)
	for key, value := range map[string]any{"service.name": "compliancelayer", "service.version": "1.2.3", "deployment.environment": "test"} {
		if resource[key] != value {
			t.Errorf("%s is %v, want %v", key, resource[key], value)
		}
	}
}

func TestNothingIsTracedWithoutTheEnvironment(t *testing.T) {
	t.Parallel()
	if out := runChild(t); len(out) != 0 {
		t.Errorf("standard output:\n%s", out)
	}
}
