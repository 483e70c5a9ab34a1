package catalog

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestSetPath(t *testing.T) {
	t.Parallel()
	const data = `{"z":1, "a" : {"b":[10,{"c":"x"}]},"big":12345678901234567890.50}`
	tests := []struct {
		name, data, path, value, want string
	}{
		{"number", data, "z", "42", `{"z":42, "a" : {"b":[10,{"c":"x"}]},"big":12345678901234567890.50}`},
		{"number by its path in the event", data, "data.z", "42", `{"z":42, "a" : {"b":[10,{"c":"x"}]},"big":12345678901234567890.50}`},
		{"field that is called data", `{"data":{"x":1}}`, "data.data.x", "2", `{"data":{"x":2}}`},
		{"place in a list", data, "a.b[0]", "11", `{"z":1, "a" : {"b":[11,{"c":"x"}]},"big":12345678901234567890.50}`},
		{"field inside a list", data, "a.b[1].c", "y", `{"z":1, "a" : {"b":[10,{"c":"y"}]},"big":12345678901234567890.50}`},
		{"new item", data, "a.b[2]", "null", `{"z":1, "a" : {"b":[10,{"c":"x"},null]},"big":12345678901234567890.50}`},
		{"new field", data, "new", "true", `{"z":1, "a" : {"b":[10,{"c":"x"}]},"big":12345678901234567890.50,"new":true}`},
		{"new field in an object", data, "a.n", "-1", `{"z":1, "a" : {"b":[10,{"c":"x"}],"n":-1},"big":12345678901234567890.50}`},
		{"new objects on the way", `{}`, "a.b.c", "1", `{"a":{"b":{"c":1}}}`},
		{"new list on the way", `{"x":1 }`, "a[0][0].c", "1", `{"x":1,"a":[[{"c":1}]] }`},
		{"string", `{"a":1}`, "a", "hello", `{"a":"hello"}`},
		{"string with quotes and signs", `{"a":1}`, "a", `say "<hi>" & go`, `{"a":"say \"<hi>\" & go"}`},
		{"string of digits", `{"a":1}`, "a", `"42"`, `{"a":"42"}`},
		{"number with a leading zero is no JSON", `{"a":1}`, "a", `042`, `{"a":"042"}`},
		{"empty string", `{"a":1}`, "a", ``, `{"a":""}`},
		{"object", `{"a":1}`, "a", ` {"b": 2} `, `{"a":{"b": 2}}`},
		{"big number", `{"a":1}`, "a", `123456789012345678901234567890`, `{"a":123456789012345678901234567890}`},
		{"escaped key", `{"\u0061":1}`, "a", `2`, `{"\u0061":2}`},
		{"no data yet", ``, "a", `2`, `{"a":2}`},
		{"all of the data", `{"a":1}`, "data", `{"b":2}`, `{"b":2}`},
	}
	for _, tt := range tests {
		got, err := SetPath(json.RawMessage(tt.data), tt.path, tt.value)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: SetPath(%s, %s, %s)\n got %s, %v\nwant %s", tt.name, tt.data, tt.path, tt.value, got, err, tt.want)
		}
	}
}

func TestSetPathDoesNotChangeItsArgument(t *testing.T) {
	t.Parallel()
	data := json.RawMessage(`{"a":1,"b":2}`)
	for _, path := range []string{"a", "c", "data"} {
		if _, err := SetPath(data, path, "9"); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := string(data), `{"a":1,"b":2}`; got != want {
		t.Errorf("data after SetPath = %s, want %s", got, want)
	}
}

func TestSetPathRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ data, path, want string }{
		{`{"a":1}`, "", "a name is missing"},
		{`{"a":1}`, "a..b", "a name is missing"},
		{`{"a":1}`, "[0]", "a name is missing"},
		{`{"a":1}`, "a[0", "a ] is missing"},
		{`{"a":1}`, "a[x]", `"x" is not a place`},
		{`{"a":1}`, "a[-1]", `"-1" is not a place`},
		{`{"a":1}`, "a.b", "data.a is not an object"},
		{`{"a":1}`, "a[0]", "data.a is not a list"},
		{`{"a":{"b":[]}}`, "a.b.c", "data.a.b is not an object"},
		{`{"a":[1]}`, "a[2]", "data.a has 1 item: the next place is [1]"},
		{`{}`, "a.b[1]", "data.a.b does not exist yet: its first place is [0]"},
		{`{"a":`, "a", "is not valid JSON"},
	}
	for _, tt := range tests {
		got, err := SetPath(json.RawMessage(tt.data), tt.path, "1")
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("SetPath(%s, %q) = %s, %v; want an error with %q", tt.data, tt.path, got, err, tt.want)
		}
	}
}
