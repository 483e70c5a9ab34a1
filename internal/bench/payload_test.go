package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/webhook"
)

func TestAMarkIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	want := mark{run: 12, seq: maxEvents - 1, sent: time.Unix(1_772_973_296, 789_000_001)}
	body := []byte(`{"data":{` + markMember + string(make([]byte, markBytes)) + `"}}`)
	want.put(body[markAt(body):])
	got, ok := findMark(body)
	if !ok || got.run != want.run || got.seq != want.seq || !got.sent.Equal(want.sent) {
		t.Errorf("findMark(%s) = %+v, %v; want %+v", body, got, ok, want)
	}
}

func TestABodyWithoutAMark(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, body string }{
		{"none", `{"data":{}}`},
		{"cut off", `{"data":{"mark":"0001-0000`},
		{"letters in the run", `{"mark":"x001-00000002-1772973296789000001"}`},
		{"letters in the number", `{"mark":"0001-0000000x-1772973296789000001"}`},
		{"letters in the time", `{"mark":"0001-00000002-177297329678900000x"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got, ok := findMark([]byte(tt.body)); ok {
				t.Errorf("findMark(%s) = %+v, want none", tt.body, got)
			}
		})
	}
}

func TestEveryDeliveredBodyHasTheSameLength(t *testing.T) {
	t.Parallel()
	for _, endpoints := range []int{1, manyEndpoints} {
		types := eventTypes(endpoints)
		if len(types) != endpoints {
			t.Fatalf("eventTypes(%d) gives %d types", endpoints, len(types))
		}
		for _, eventType := range types {
			data, err := eventData(eventType)
			if err != nil {
				t.Fatalf("eventData(%s): %v", eventType, err)
			}
			body, err := webhook.EncodeBody(someID, eventType, time.Now(), data)
			if err != nil || len(body) != eventBytes {
				t.Errorf("the body of %s has %d bytes (error %v), want %d", eventType, len(body), err, eventBytes)
			}
		}
	}
}

func TestComposerWritesWhatTheProgramReads(t *testing.T) {
	t.Parallel()
	sent := time.Unix(1_772_973_296, 5)
	type event struct {
		Type string          `json:"type"`
		Data json.RawMessage `json:"data"`
	}
	check := func(t *testing.T, got event, wantType string, wantSeq int) {
		t.Helper()
		m, ok := findMark(got.Data)
		if got.Type != wantType || !ok || m.run != 3 || m.seq != wantSeq || !m.sent.Equal(sent) {
			t.Errorf("event %d: type %s with mark %+v, want %s, run 3 at %s", wantSeq, got.Type, m, wantType, sent)
		}
	}
	t.Run("one", func(t *testing.T) {
		t.Parallel()
		c, err := newComposer(eventTypes(1), 3, 0, false)
		if err != nil {
			t.Fatal(err)
		}
		var got event
		if err := json.Unmarshal(c.append(nil, 41, 1, sent), &got); err != nil {
			t.Fatal(err)
		}
		check(t, got, singleType, 41)
	})
	t.Run("a batch of several types", func(t *testing.T) {
		t.Parallel()
		types := eventTypes(2)
		c, err := newComposer(types, 3, 100, false)
		if err != nil {
			t.Fatal(err)
		}
		var got struct{ Events []event }
		if err := json.Unmarshal(c.append(nil, 7, 3, sent), &got); err != nil || len(got.Events) != 3 {
			t.Fatalf("%d events, error %v; want 3", len(got.Events), err)
		}
		for i, e := range got.Events {
			check(t, e, types[(7+i)%2], 7+i)
		}
	})
	t.Run("as it is delivered", func(t *testing.T) {
		t.Parallel()
		c, err := newComposer(eventTypes(1), 3, 0, true)
		if err != nil {
			t.Fatal(err)
		}
		body := c.append(nil, 41, 1, sent)
		got, err := webhook.ParseEvent(body)
		if err != nil || len(body) != eventBytes {
			t.Fatalf("%d bytes, error %v; want %d", len(body), err, eventBytes)
		}
		check(t, event{got.Type, got.Data}, singleType, 41)
	})
}
