package catalog

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBuiltinTypesAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	want := map[string]bool{ // name: operational
		"scan.completed": false, "alert.triggered": false, "score.changed": false, "domain.added": false, "domain.removed": false,
		"endpoint.disabled": true, "endpoint.warning": true, "endpoint.alert": true, "delivery.failed": true,
	}
	got := make(map[string]bool)
	for _, typ := range Builtin() {
		got[typ.Name] = typ.Operational
		if typ.Description == "" || typ.Custom || len(typ.Schema) == 0 || len(typ.Sample) == 0 {
			t.Errorf("%s: description %q, custom %t, schema %d bytes, sample %d bytes", typ.Name, typ.Description, typ.Custom, len(typ.Schema), len(typ.Sample))
		}
		if found, ok := Lookup(typ.Name); !ok || found.Name != typ.Name {
			t.Errorf("Lookup(%q) = %q, %t", typ.Name, found.Name, ok)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("built-in types (-want +got):\n%s", diff)
	}
	if _, ok := Lookup("scan.started"); ok {
		t.Error("Lookup found scan.started, which is not built in")
	}
}

func TestBuiltinReturnsACopy(t *testing.T) {
	t.Parallel()
	Builtin()[0].Name = "changed"
	if got := Builtin()[0].Name; got != ScanCompleted {
		t.Errorf("first type after changing the answer = %q, want %q", got, ScanCompleted)
	}
}

func TestSamplesAreThoseOfThePublicDocumentation(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		ScanCompleted:  `{"scan_id":12345,"job_id":67890,"domain":"example.com","score":85,"grade":"B","issues_count":8,"critical_issues":0,"high_issues":2,"medium_issues":3,"low_issues":3,"scanned_at":"2026-03-08T12:34:56.789Z","scan_duration_ms":2847}`,
		AlertTriggered: `{"alert_id":456,"alert_type":"score_drop","severity":"high","domain":"example.com","title":"Security Score Dropped","message":"Score decreased from 92 to 78 (-14 points)","old_value":"92","new_value":"78","score":78,"grade":"C+","created_at":"2026-03-08T12:34:56.789Z"}`,
	}
	for name, want := range tests {
		if got := string(builtin(t, name).Sample); got != want {
			t.Errorf("sample of %s:\n got %s\nwant %s", name, got, want)
		}
	}
}

func TestSamplesAndTestDataFitTheirSchemas(t *testing.T) {
	t.Parallel()
	for _, typ := range Builtin() {
		v := compiled(t, typ.Name)
		if v.quick == nil {
			t.Errorf("%s: the schema uses a keyword that the quick check does not know", typ.Name)
		}
		if err := v.Validate(typ.Sample); err != nil {
			t.Errorf("sample of %s: %v", typ.Name, err)
		}
		data, err := TestData(typ)
		if err != nil {
			t.Fatalf("TestData(%s): %v", typ.Name, err)
		}
		if err := v.Validate(data); err != nil {
			t.Errorf("test data of %s: %v", typ.Name, err)
		}
	}
}

func TestBuiltinSchemasDeclareDraft202012(t *testing.T) {
	t.Parallel()
	for _, typ := range Builtin() {
		if want := []byte(`{"$schema":"https://json-schema.org/draft/2020-12/schema",`); !bytes.HasPrefix(typ.Schema, want) {
			t.Errorf("schema of %s begins %.80s, want %s", typ.Name, typ.Schema, want)
		}
	}
}

func TestUnknownFieldsAreAllowedEverywhere(t *testing.T) {
	t.Parallel()
	for _, typ := range Builtin() {
		v := compiled(t, typ.Name)
		// Behind every opening brace of the sample, so in nested objects too.
		data := strings.ReplaceAll(string(typ.Sample), "{", `{"not_yet_known":{"a":[1,null]},`)
		if err := v.Validate(json.RawMessage(data)); err != nil {
			t.Errorf("%s with unknown fields: %v", typ.Name, err)
		}
	}
}

func TestRequiredFields(t *testing.T) {
	t.Parallel()
	tests := map[string][]string{
		ScanCompleted:    {"critical_issues", "domain", "grade", "high_issues", "score"},
		AlertTriggered:   {"alert_type", "domain", "message", "severity", "title"},
		ScoreChanged:     {"domain", "new_value", "old_value", "score"},
		DomainAdded:      {"domain"},
		DomainRemoved:    {"domain"},
		EndpointDisabled: {"consecutive_failures", "disabled_at", "endpoint_id", "reason", "url"},
		EndpointWarning:  {"consecutive_failures", "disable_after", "endpoint_id", "url"},
		EndpointAlert: {
			"alert", "alert_id", "attempts", "endpoint_id", "failed", "opened_at", "state",
			"threshold", "url", "value", "window_seconds",
		},
		DeliveryFailed: {"attempts", "delivery_id", "endpoint_id", "event_id", "event_type", "url"},
	}
	for _, typ := range Builtin() {
		var sample map[string]json.RawMessage
		if err := json.Unmarshal(typ.Sample, &sample); err != nil {
			t.Fatal(err)
		}
		v := compiled(t, typ.Name)
		var required []string
		for key, value := range sample {
			delete(sample, key)
			data, err := json.Marshal(sample)
			if err != nil {
				t.Fatal(err)
			}
			if err := v.Validate(data); err != nil {
				if want := "data." + key + " is required"; err.Error() != want {
					t.Errorf("%s without %s: %q, want %q", typ.Name, key, err, want)
				}
				required = append(required, key)
			}
			sample[key] = value
		}
		slices.Sort(required)
		if diff := cmp.Diff(tests[typ.Name], required); diff != "" {
			t.Errorf("required fields of %s (-want +got):\n%s", typ.Name, diff)
		}
	}
}

func TestTestDataOfScanCompletedIsThatOfThePublicDocumentation(t *testing.T) {
	t.Parallel()
	got, err := TestData(builtin(t, ScanCompleted))
	want := `{"test":true,"domain":"example.com","score":85,"grade":"B","message":"This is a test webhook from ComplianceLayer"}`
	if err != nil || string(got) != want {
		t.Errorf("TestData = %s, %v\nwant %s", got, err, want)
	}
}

func TestTestDataOfOtherTypesIsTheSampleMarked(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, sample, want string
	}{
		{"object", `{"b":1,"a":2}`, `{"test":true,"b":1,"a":2}`},
		{"object with white space", " {\n \"b\": 1 }\n", "{\"test\":true,\"b\": 1 }"},
		{"empty object", `{ }`, `{"test":true}`},
		{"object with a field test", `{"b":1,"test":false,"a":2}`, `{"b":1,"test":true,"a":2}`},
		{"list", `[1,2]`, `[1,2]`},
		{"no sample", ``, `{"test":true}`},
	}
	for _, tt := range tests {
		got, err := TestData(Type{Name: "order.paid", Custom: true, Sample: json.RawMessage(tt.sample)})
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: TestData = %s, %v; want %s", tt.name, got, err, tt.want)
		}
	}
	if got, err := TestData(Type{Name: "order.paid", Sample: json.RawMessage(`{"a":1,"a":2}`)}); err == nil {
		t.Errorf("TestData of a broken sample = %s, want an error", got)
	}
}

func TestTestDataDoesNotChangeTheSample(t *testing.T) {
	t.Parallel()
	typ := builtin(t, DomainAdded)
	before := string(typ.Sample)
	if _, err := TestData(typ); err != nil {
		t.Fatal(err)
	}
	if got := string(typ.Sample); got != before {
		t.Errorf("sample after TestData = %s, want %s", got, before)
	}
}
