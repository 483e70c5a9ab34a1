package receiver

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The whole domain: every kind of failure in both kinds of lane, at every number of
// failures and tries that makes a difference.
func TestDecideOverItsWholeDomain(t *testing.T) {
	t.Parallel()
	kinds := map[string]error{
		"none":        nil,
		"plain":       errors.New("it broke"),
		"permanent":   fmt.Errorf("post: %w", Permanent(errors.New("it broke"))),
		"unavailable": fmt.Errorf("post: %w", Unavailable(errors.New("it broke"), 7*time.Second)),
		"answered":    &Failure{Err: errors.New("it broke"), Unavailable: true, Answered: true, Unsure: true},
		"stopped":     fmt.Errorf("%w: it broke", errStopped),
	}
	for kind, err := range kinds {
		for _, ordered := range []bool{false, true} {
			for failures := range 4 {
				for _, tries := range []int{1, MaxAnswered - 1, MaxAnswered, MaxAnswered + 1} {
					for _, thrives := range []bool{false, true} {
						lane := Lane{Ordered: ordered, Attempts: 3, Backoff: 2 * time.Second}
						item := Item{ID: "a", Failures: failures, Tries: tries}
						end, pause := decide(lane, item, err, thrives)
						name := fmt.Sprintf("%s, ordered %t, failures %d, tries %d, thrives %t", kind, ordered, failures, tries, thrives)
						for _, problem := range problems(kind, lane, item, thrives, end, pause) {
							t.Errorf("%s: %s: %+v, pause %v", name, problem, end, pause)
						}
					}
				}
			}
		}
	}
}

// problems holds one decision against what the documentation promises.
func problems(kind string, lane Lane, item Item, thrives bool, end End, pause time.Duration) (found []string) {
	must := func(ok bool, sentence string) {
		if !ok {
			found = append(found, sentence)
		}
	}
	must(end.Key == item.Key(), "it is about another item")
	must((end.Error != "") == (kind != "none"), "what happened is told, and only then")
	must(pause == 0 || lane.Ordered, "only an ordered lane pauses")
	must(!end.Back || end.Delay == 0, "who keeps the place has no delay")
	aside := kind == "answered" && item.Tries >= MaxAnswered
	counts := kind == "plain" || (aside && thrives)
	switch {
	case kind == "none":
		must(end.To == Done, "what went well is done")
	case kind == "permanent" || (counts && item.Failures+1 >= lane.Attempts):
		must(end.To == Failed && end.Counts, "it fails for good")
	case aside && !thrives:
		must(end.To == Waiting && !end.Counts && end.Delay >= maxPause && pause == 0, "it steps aside, which is not its fault")
	case counts:
		must(end.To == Waiting && end.Counts && end.Delay == 2*time.Second<<item.Failures, "it counts and waits twice as long each time")
	case kind == "stopped":
		must(end.To == Waiting && !end.Counts && end.Back && end.Unsure && pause == 0, "it goes on where it was")
	default:
		wait := max(end.Delay, pause)
		must(end.To == Waiting && !end.Counts, "it is not the event's fault")
		must(end.Back == lane.Ordered, "in an ordered lane it keeps its place")
		must(wait >= 2*time.Second && wait <= maxPause, "it waits a while")
		must(kind != "unavailable" || wait >= 7*time.Second, "it waits as long as it was asked to")
	}
	must(end.Unsure == (kind == "answered" || kind == "stopped"), "it says whether the effect may have happened")
	return found
}

func TestPausesDoubleUpToAMinute(t *testing.T) {
	t.Parallel()
	var got []time.Duration
	for n := range 8 {
		got = append(got, doubled(2*time.Second, n+1)/time.Second)
	}
	if want := []time.Duration{2, 4, 8, 16, 32, 60, 60, 60}; !slices.Equal(got, want) {
		t.Errorf("pauses in seconds: got %v, want %v", got, want)
	}
	if got := doubled(5*time.Minute, 3); got != 5*time.Minute {
		t.Errorf("a pause that is set longer than the bound: got %v, want it as it is", got)
	}
}

func TestAnErrorIsKeptInAFormThatDatabasesTake(t *testing.T) {
	t.Parallel()
	got := shorten("bad\x00byte \xff" + strings.Repeat("ü", maxError))
	if strings.ContainsAny(got, "\x00") || strings.ToValidUTF8(got, "") != got || len(got) > maxError+8 {
		t.Errorf("shorten gives %d bytes with NUL or broken UTF-8", len(got))
	}
}

func TestWhatWasWrappedAroundAFailureIsKept(t *testing.T) {
	t.Parallel()
	got := failureOf(fmt.Errorf("tell the team: %w", Unavailable(errors.New("it is away"), time.Second)))
	want := "tell the team: it is away"
	if !got.Unavailable || got.Error() != want || got.After != time.Second {
		t.Errorf("failureOf: got %+v, %q; want it unavailable, %q", got, got.Error(), want)
	}
}

func TestNumbersMayBeWrittenInAnyWay(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"plain", `{"score":85}`, ""},
		{"fraction", `{"score":85.0}`, `{"score":85}`},
		{"exponent", `{"score":8.5e1,"deep":[{"n":1E2}]}`, `{"deep":[{"n":100}],"score":85}`},
		{"not whole", `{"score":85.5}`, ""},
		{"an exponent that would fill the memory", `{"score":1e999999999}`, ""},
		{"a large id", `{"scan_id":9007199254740993.0}`, `{"scan_id":9007199254740993}`},
	}
	for _, tt := range tests {
		got, changed := plainNumbers([]byte(tt.in))
		if diff := cmp.Diff(tt.want, string(got)); diff != "" || changed != (tt.want != "") {
			t.Errorf("%s: plainNumbers(%s): %s", tt.name, tt.in, diff)
		}
	}
}
