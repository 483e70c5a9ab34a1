package catalog

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Type is a kind of event. Its byte slices are shared: do not change them.
type Type struct {
	// Name is what X-ComplianceLayer-Event says, for example scan.completed.
	Name string
	// Description is a sentence or two for people.
	Description string
	// Operational types are about the webhooks themselves: "*" does not subscribe to them (contract section 3).
	Operational bool
	// Custom types were registered by an account; the others are built in.
	Custom bool
	// Schema is the JSON Schema of the data, draft 2020-12. nil means that anything goes.
	Schema json.RawMessage
	// Sample is an example of the data, the one that trigger and the documentation use. nil means that there is none.
	Sample json.RawMessage
}

// The names of the built-in types (contract section 3).
const (
	ScanCompleted    = "scan.completed"
	AlertTriggered   = "alert.triggered"
	ScoreChanged     = "score.changed"
	DomainAdded      = "domain.added"
	DomainRemoved    = "domain.removed"
	EndpointDisabled = "endpoint.disabled"
	EndpointWarning  = "endpoint.warning"
	EndpointAlert    = "endpoint.alert"
	DeliveryFailed   = "delivery.failed"
)

//go:embed types/*.json
var files embed.FS

// builtinTypes is the constant table of the built-in types, read from the embedded files when first asked for.
var builtinTypes = sync.OnceValue(readBuiltin)

func readBuiltin() []Type {
	names := []string{
		ScanCompleted, AlertTriggered, ScoreChanged, DomainAdded, DomainRemoved,
		EndpointDisabled, EndpointWarning, EndpointAlert, DeliveryFailed,
	}
	types := make([]Type, len(names))
	for i, name := range names {
		schema := embedded(name + ".schema.json")
		types[i] = Type{
			Name:        name,
			Description: descriptionOf(schema),
			Operational: IsOperational(name),
			Schema:      schema,
			Sample:      embedded(name + ".sample.json"),
		}
	}
	return types
}

// embedded returns one of the embedded files without insignificant white space. The files are part of the program, so
// a broken one is a broken build and panics.
func embedded(name string) json.RawMessage {
	text, err := files.ReadFile("types/" + name)
	if err != nil {
		panic(fmt.Sprintf("catalog: %v", err))
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		panic(fmt.Sprintf("catalog: %s: %v", name, err))
	}
	return compact.Bytes()
}

// descriptionOf returns the description keyword of a built-in schema, so that it is written only once.
func descriptionOf(schema json.RawMessage) string {
	var keywords struct {
		Description string `json:"description"`
	}
	if err := json.Unmarshal(schema, &keywords); err != nil {
		panic(fmt.Sprintf("catalog: %v", err))
	}
	return keywords.Description
}

// Builtin returns the built-in types in the order in which the documentation lists them, operational ones last.
func Builtin() []Type {
	return slices.Clone(builtinTypes())
}

// Lookup returns the built-in type of that name.
func Lookup(name string) (Type, bool) {
	for _, t := range builtinTypes() {
		if t.Name == name {
			return t, true
		}
	}
	return Type{}, false
}

// IsOperational reports whether a type of that name is about the webhooks themselves. The prefixes endpoint. and
// delivery. belong to those types alone (see [ValidName]), so the name is enough to tell.
func IsOperational(name string) bool {
	return strings.HasPrefix(name, "endpoint.") || strings.HasPrefix(name, "delivery.")
}

// TestData returns the data of a test event of type t: for scan.completed the data that the public documentation
// shows under "Testing Webhooks", byte for byte but for white space; for the others the sample with "test":true in
// front. A sample that is no object is returned as it is, and a type without a sample gives {"test":true}.
//
// The test data of a built-in type is valid against its schema. That of a custom type need not be, because a schema
// may refuse the additional field.
func TestData(t Type) (json.RawMessage, error) {
	if t.Name == ScanCompleted {
		return embedded("scan.completed.test.json"), nil
	}
	if len(t.Sample) == 0 {
		return json.RawMessage(`{"test":true}`), nil
	}
	var d document
	if err := d.parse(t.Sample); err != nil {
		return nil, fmt.Errorf("make test data for %s: sample: %w", t.Name, err.fieldErrors())
	}
	switch {
	case d.nodes[0].kind != kindObject:
		return t.Sample, nil
	case d.child(0, "test") >= 0:
		return SetPath(t.Sample, "test", "true")
	}
	rest := bytes.TrimLeft(bytes.TrimSpace(t.Sample)[1:], " \t\r\n")
	if rest[0] == '}' {
		return json.RawMessage(`{"test":true}`), nil
	}
	return append(json.RawMessage(`{"test":true,`), rest...), nil
}
