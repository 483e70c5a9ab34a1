package datadog

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/internal/vendortest"
)

func TestUnsureWaitsForTheList(t *testing.T) {
	t.Parallel()
	for _, arrived := range []bool{true, false} {
		t.Run(fmt.Sprint("arrived ", arrived), func(t *testing.T) {
			t.Parallel()
			server, s, now := open(t, nil)
			server.HoldIndex()
			server.Next("/api/v1/events", vendortest.Trouble{Reset: true, Done: arrived})
			e := alert("e1", "high")
			if f := vendortest.Failure(t, s.Handle(t.Context(), e)); !f.Unsure {
				t.Fatalf("the failure is %+v, want one that is not sure", f)
			}
			now.Pass(DefaultSettle / 3)
			f := vendortest.Failure(t, s.Handle(t.Context(), vendortest.Again(e)))
			if want := DefaultSettle - DefaultSettle/3; !f.Unavailable || f.Answered || !f.Unsure || f.After != want {
				t.Fatalf("while the list may not know: %+v, want to come again in %v", f, want)
			}
			server.ReleaseIndex()
			now.Pass(f.After)
			vendortest.Handle(t, s, vendortest.Again(e))
			if n := server.Count("e1"); n != 1 {
				t.Errorf("the event was posted %d times", n)
			}
		})
	}
}

func TestWithoutAnApplicationKeyItIsPostedAgain(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	server, s, _ := open(t, func(c *Config) {
		c.ApplicationKey, c.Logger = "", slog.New(slog.NewTextHandler(&log, nil))
	})
	vendortest.Handle(t, s, vendortest.Again(alert("e1", "high")), vendortest.Again(alert("e1", "high")))
	if n := strings.Count(log.String(), "posted to Datadog twice"); n != 1 {
		t.Errorf("it says so %d times, want once:\n%s", n, log.String())
	}
	if n := server.Count("e1"); n != 2 {
		t.Errorf("the event was posted %d times, want 2: nobody can look", n)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	next := func(trouble vendortest.Trouble) func(*vendortest.Datadog) {
		return func(d *vendortest.Datadog) { d.Next("/api/v1/events", trouble) }
	}
	tests := []struct {
		name   string
		server func(*vendortest.Datadog)
		sink   func(*Config)
		unsure bool             // so that it is looked up first
		want   receiver.Failure // without Err
		says   string
	}{
		{"a wrong key", nil, func(c *Config) { c.APIKey = "wrong-key" }, false, receiver.Failure{Unavailable: true, Answered: true}, "check the API key"},
		{"a wrong application key", nil, func(c *Config) { c.ApplicationKey = "wrong-key" }, true, receiver.Failure{Unavailable: true, Answered: true}, "events_read"},
		{"a wrong address", nil, func(c *Config) { c.BaseURL += "/v2" }, false, receiver.Failure{Permanent: true}, "answered 404"},
		{"too many requests", next(vendortest.Trouble{Status: 429, Header: map[string]string{"Retry-After": "17"}}), nil, false, receiver.Failure{Unavailable: true, After: 17 * time.Second}, "answered 429"},
		{"trouble", next(vendortest.Trouble{Status: 500}), nil, false, receiver.Failure{Unavailable: true, Answered: true, Unsure: true}, "answered 500"},
		{"a form that is refused", next(vendortest.Trouble{Status: 400}), nil, false, receiver.Failure{Permanent: true}, "answered 400"},
		{"trouble while listing", next(vendortest.Trouble{Status: 500}), nil, true, receiver.Failure{Unavailable: true, Answered: true}, "answered 500"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server, s, _ := open(t, func(c *Config) {
				c.Settle = -1
				if tt.sink != nil {
					tt.sink(c)
				}
			})
			server.ExpectRefusals()
			if tt.server != nil {
				tt.server(server)
			}
			e := alert("e1", "high")
			e.Unsure = tt.unsure
			got := vendortest.Failure(t, s.Handle(t.Context(), e))
			text := got.Error()
			got.Err = nil
			if got != tt.want || !strings.Contains(text, tt.says) {
				t.Errorf("the failure is %+v, %q, want %+v, %q", got, text, tt.want, tt.says)
			}
			if strings.Contains(text, server.APIKey) || strings.Contains(text, "wrong-key") || strings.Contains(text, server.URL) {
				t.Errorf("it tells a secret: %q", text)
			}
			if n := server.Count("e1"); n != 0 {
				t.Errorf("the event was posted %d times", n)
			}
		})
	}
}

func TestHostileEvents(t *testing.T) {
	t.Parallel()
	server, s, _ := open(t, nil)
	hostile := "%%% \n[free](https://evil.example) @all @webhook-x\n %%%"
	vendortest.Handle(t, s,
		event("e1", "alert.triggered", fmt.Sprintf(`{"domain": %q, "title": %q, "message": %q, "severity": "critical,team:other", "alert_type": %q, "grade": "@all"}`, hostile, hostile, hostile, hostile)),
		event("e2", "alert.triggered", fmt.Sprintf(`{"domain": %q, "title": %q, "message": %q}`, strings.Repeat("a", 5000), strings.Repeat("ä", 5000), strings.Repeat("ö", 5000))),
		event("E,3", "scan.completed", `{"domain": "\u0000"}`),
	)
	posts := server.Posts()
	if len(posts) != 3 {
		t.Fatalf("%d events were posted", len(posts))
	}
	for _, text := range []string{posts[0].Title, posts[0].Text} {
		if strings.Contains(text, "%%%") || strings.Contains(text, "@all") || strings.Contains(text, "@webhook") {
			t.Errorf("the post says %q", text)
		}
	}
	if slicesContainsPrefix(posts[0].Tags, "team:") {
		t.Errorf("the tags are %q: a severity made one of its own", posts[0].Tags)
	}
	if n := utf8.RuneCountInString(posts[1].Text); n != maxText {
		t.Errorf("a text that is too long was posted with %d characters", n)
	}
}

func slicesContainsPrefix(tags []string, prefix string) bool {
	for _, tag := range tags {
		if strings.HasPrefix(tag, prefix) {
			return true
		}
	}
	return false
}

func TestMarkdownOfTheSettings(t *testing.T) {
	t.Parallel()
	server, s, _ := open(t, func(c *Config) { c.Title, c.Text = "{{.Domain}}", "%%%\n**{{.Message}}** @slack-security\n%%%" })
	vendortest.Handle(t, s, event("e1", "alert.triggered", `{"domain": "a.example", "message": "%%% @all"}`))
	got := server.Posts()[0]
	if got.Title != "a.example" || !strings.HasPrefix(got.Text, "%%%\n**%\u200b%") || !strings.HasSuffix(got.Text, "** @slack-security\n%%%") {
		t.Errorf("the post is %+v", got)
	}
}

func TestConfigs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*Config)
		want   string // the address
		says   string
	}{
		{"only a key", func(*Config) {}, "https://api.datadoghq.com", ""},
		{"a site", func(c *Config) { c.Site = "us5.datadoghq.com" }, "https://api.us5.datadoghq.com", ""},
		{"a site as it is in the browser", func(c *Config) { c.Site = "app.datadoghq.eu" }, "https://api.datadoghq.eu", ""},
		{"an address", func(c *Config) { c.BaseURL = "https://proxy.example/datadog/" }, "https://proxy.example/datadog", ""},
		{"an address that is none", func(c *Config) { c.BaseURL = "proxy" }, "", "the address must be"},
		{"a site that is none", func(c *Config) { c.Site = "us4.datadoghq.com" }, "", "there are datadoghq.com, us3."},
		{"no key", func(c *Config) { c.APIKey = "" }, "", "the API key is missing"},
		{"a key with a line break", func(c *Config) { c.APIKey += "\n" }, "", "a character that no key has"},
		{"a tag that is none", func(c *Config) { c.Tags = []string{"123"} }, "", `the tag "123"`},
		{"a template that is none", func(c *Config) { c.Text = "{{" }, "", "text"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := Config{APIKey: "very-secret"}
			tt.change(&c)
			s, err := New(c)
			if tt.says == "" && (err != nil || s.config.BaseURL != tt.want) {
				t.Errorf("New gives %v, %+v, want the address %s", err, s, tt.want)
			}
			if tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "very-secret")) {
				t.Errorf("New says %v, want %q", err, tt.says)
			}
		})
	}
}

func TestPrintingShowsNoSecret(t *testing.T) {
	t.Parallel()
	_, s, _ := open(t, nil)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		text := fmt.Sprintf(verb+verb, s.config, s)
		if strings.Contains(text, s.config.APIKey) || strings.Contains(text, s.config.ApplicationKey) {
			t.Errorf("%s shows %s", verb, text)
		}
	}
}
