package web

import (
	"strings"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/store"
)

func TestABrowserIsNamedInAFewWords(t *testing.T) {
	t.Parallel()
	for agent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36":                         "Chrome on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0": "Edge on Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Safari/604.1":     "Safari on iPhone",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 15.0; rv:150.0) Gecko/20100101 Firefox/150.0":                                           "Firefox on macOS",
		"curl/8.0": "curl", "": "another program", "<script>": "another program",
	} {
		if got := browser(agent); got != want {
			t.Errorf("%q is %q, want %q", agent, got, want)
		}
	}
}

func TestALengthOfTimeIsWrittenInOneWay(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0 ms", 900 * time.Microsecond: "<1 ms", time.Millisecond: "1 ms", 999 * time.Millisecond: "999 ms", time.Second: "1 s", 3 * time.Second: "3 s", 3240 * time.Millisecond: "3.2 s",
		59_999 * time.Millisecond: "59.9 s", time.Minute: "1 min", 90 * time.Minute: "1 h 30 min", 72 * time.Hour: "3 days",
	} {
		if got := short(d); got != want {
			t.Errorf("%d ns is %q, want %q", d, got, want)
		}
	}
}

// A week was "in 6 days", and 24 hours "in 23 h 59 min", a moment after they were set.
func TestATimeAheadOrPastIsRoundedToTheNearest(t *testing.T) {
	t.Parallel()
	const moment = 300 * time.Millisecond // went by since
	for d, want := range map[time.Duration]string{
		7*24*time.Hour - moment: "7 days", 24*time.Hour - moment: "24 h 0 min", time.Hour - moment: "1 h 0 min", time.Minute - moment: "1 min", 30*time.Second - moment: "30 s",
		48*time.Hour - moment: "2 days", 60 * time.Hour: "3 days", 59 * time.Hour: "2 days", 90 * time.Second: "2 min", 89 * time.Second: "1 min", time.Second: "1 s",
	} {
		if got := short(nearest(d)); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
}

func TestACountThatIsBoundedSaysSo(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0", 9999: "9999", store.CountLimit: "10000 or more"} {
		if got := counted(n); got != want {
			t.Errorf("%d is written as %q, want %q", n, got, want)
		}
	}
}

func TestAnExportIsNamedAfterWhatIsInIt(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 26, 23, 30, 0, 0, time.FixedZone("west", -3600))
	for account, want := range map[string]string{"default": "dead-letters-default-2026-11-27.csv", "Müller & Co. (EU)": "dead-letters-m-ller-co-eu-2026-11-27.csv", "\"../\r\n": "dead-letters-2026-11-27.csv"} {
		if got := fileName("dead-letters", account, day); got != want {
			t.Errorf("of account %q it is %q, want %q", account, got, want)
		}
	}
}

func TestAnAuditRowLeadsToWhatWasChanged(t *testing.T) {
	t.Parallel()
	for object, want := range map[string]string{"ep_1": "/endpoints/ep_1", "job_1": "/jobs/job_1", "77": "/deliveries/77", "usr_1": "", "": "", "javascript:alert(1)": "", "-1": ""} {
		r := auditRow{}
		r.Object = object
		if got := r.Path(); got != want {
			t.Errorf("%q leads to %q, want %q", object, got, want)
		}
	}
}

func TestAnAnswerOfManyBracketsIsShownAsItCame(t *testing.T) {
	t.Parallel()
	for _, one := range []string{"[", `["]",`, `{"\"]":[`, `["\\",`} {
		end := strings.NewReplacer("[", "]", "{", "}").Replace(strings.Map(func(r rune) rune {
			if r == '[' || r == '{' {
				return r
			}
			return -1
		}, strings.ReplaceAll(one, `"]"`, "")))
		if one == `{"\"]":[` {
			end = "]}"
		}
		hostile := strings.Repeat(one, 5000) + "1" + strings.Repeat(end, 5000)
		if got := body([]byte(hostile)); len(got) > len(hostile) {
			t.Errorf("%d bytes of %q become %d", len(hostile), one, len(got))
		}
	}
	if got, want := body([]byte(`{"a":["[[",1]}`)), "{\n  \"a\": [\n    \"[[\",\n    1\n  ]\n}"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
