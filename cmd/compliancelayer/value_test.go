package main

import (
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/delivery"
)

func TestSpans(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	tests := []struct {
		text string
		want time.Duration // -1 = refused
	}{
		{"30s", 30 * time.Second}, {"1h30m", 90 * time.Minute}, {"7d", 7 * day}, {"1d12h", 36 * time.Hour}, {"0s", 0}, {"0d", 0}, {"36500d", 36500 * day},
		{"", -1}, {"d", -1}, {"soon", -1}, {"7", -1}, {"-1h", -1}, {"1d-1h", -1}, {"-1d", -1}, {"1.5d", -1}, {"36501d", -1}, {"1dd", -1}, {"12h1d", -1},
	}
	for _, tt := range tests {
		var got span
		err := got.UnmarshalText([]byte(tt.text))
		if tt.want < 0 && err == nil || tt.want >= 0 && (err != nil || time.Duration(got) != tt.want) {
			t.Errorf("span %q = %s, %v; want %s (-1ns: refused)", tt.text, time.Duration(got), err, tt.want)
		}
	}
}

// "0s,1d" was refused, though every other duration takes days.
func TestAScheduleTakesDays(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, want, err string }{
		{"0s,1m,5m,15m,1h,2h", delivery.DefaultSchedule().String(), ""},
		{"0s, 1d, 1d12h, 7d", "0s,24h0m0s,36h0m0s,168h0m0s", ""},
		{"", "", "step 1"},
		{"0,60", "", "step 2"},
		{"0s,soon", "", "step 2"},
		{"0s,1m,", "", "step 3"},
		{"0s,-1m", "", "step 2: \"-1m\" must not be negative"},
		{"0s,8d", "", "step 2 is 192h0m0s"},
		{"1m,5m", "", "must be 0s"},
	}
	for _, tt := range tests {
		var got schedule
		err := got.UnmarshalText([]byte(tt.text))
		if tt.err == "" && (err != nil || got.steps.String() != tt.want) || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("schedule %q = %s, %v; want %s, %q", tt.text, got.steps, err, tt.want, tt.err)
		}
	}
}

func TestMoments(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Time{
		"2026-03-08T12:34:56Z":      time.Date(2026, 3, 8, 12, 34, 56, 0, time.UTC),
		"2026-03-08T12:34:56+02:00": time.Date(2026, 3, 8, 10, 34, 56, 0, time.UTC),
		"2026-03-08":                time.Date(2026, 3, 8, 0, 0, 0, 0, time.UTC),
	} {
		var got moment
		if err := got.UnmarshalText([]byte(text)); err != nil || !got.at.Equal(want) {
			t.Errorf("moment %q = %s, %v; want %s", text, got.at, err, want)
		}
	}
	for text, back := range map[string]time.Duration{"now": 0, "2h": 2 * time.Hour, "7d": 7 * 24 * time.Hour} {
		before := time.Now()
		var got moment
		err := got.UnmarshalText([]byte(text))
		if after := time.Now(); err != nil || got.at.Before(before.Add(-back)) || got.at.After(after.Add(-back)) {
			t.Errorf("moment %q = %s, %v; want %s before now", text, got.at, err, back)
		}
	}
	var got moment
	if err := got.UnmarshalText([]byte("yesterday")); err == nil {
		t.Errorf("moment \"yesterday\" = %s", got.at)
	}
	if (moment{}).optional() != nil || !(moment{}).wire().IsZero() {
		t.Error("the zero moment is not left out")
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for bytes, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 5 << 30: "5.0 GiB", 1<<63 - 1: "8.0 EiB"} {
		if got := size(bytes); got != want {
			t.Errorf("size(%d) = %q, want %q", bytes, got, want)
		}
	}
}

func TestTheSparkLineFitsAndShowsThePeak(t *testing.T) {
	t.Parallel()
	var series []client.Point
	for i := range 10 {
		series = append(series, client.Point{Succeeded: i, Failed: i})
	}
	if got, want := spark(series, 5), "▂▄▅▇█"; got != want {
		t.Errorf("spark = %q, want %q", got, want)
	}
	if got, want := spark(series[:2], 5), "▁█"; got != want { // nothing is lower than little
		t.Errorf("spark = %q, want %q", got, want)
	}
	if got := spark(make([]client.Point, 60), 20); got != "" {
		t.Errorf("spark of nothing = %q", got)
	}
}

func TestKeyStates(t *testing.T) {
	t.Parallel()
	past, future := client.AtOrNil(time.Now().Add(-time.Minute)), client.AtOrNil(time.Now().Add(time.Hour))
	tests := []struct {
		key  client.Key
		want string
	}{
		{client.Key{}, "ok"}, {client.Key{ExpiresAt: future}, "ok"}, {client.Key{ExpiresAt: past}, "expired"},
		{client.Key{RevokedAt: past}, "revoked"}, {client.Key{RevokedAt: past, ExpiresAt: past}, "revoked"},
	}
	for _, tt := range tests {
		if got := keyState(tt.key); got != tt.want {
			t.Errorf("keyState(%+v) = %q, want %q", tt.key, got, tt.want)
		}
	}
}
