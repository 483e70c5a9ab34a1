// Package clients runs the tests of the libraries in other languages, and their
// examples against really signed requests. It has no code of its own: what it starts are
// the test programs of Node and Python, with nothing from the network.
package clients

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/compliancelayer/compliancelayer/webhook"
	"github.com/compliancelayer/compliancelayer/webhook/webhooktest"
)

// modules is where scripts/prepare.sh puts what comes from npm.
const modules = "../.cache/node"

// run runs a command and gives what it said; it fails the test if the command fails. A
// language that is missing is a failure too: make prepare installs it.
func run(t *testing.T, dir, name string, arguments ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, arguments...)
	command.Dir = dir
	command.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "NO_COLOR=1")
	said, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v (make prepare installs what is missing)\n%s", name, strings.Join(arguments, " "), err, said)
	}
	return string(said)
}

// expect fails unless each pattern is in what was said.
func expect(t *testing.T, said string, patterns ...string) {
	t.Helper()
	for _, pattern := range patterns {
		if !regexp.MustCompile(pattern).MatchString(said) {
			t.Errorf("want %s in:\n%s", pattern, said)
		}
	}
}

// TestNode runs all of its tests. A runner that found none would be content.
func TestNode(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("node/test/*.test.js")
	if err != nil || len(files) < 3 {
		t.Fatalf("the files of the tests are %q, %v", files, err)
	}
	arguments := []string{"--test", "--test-reporter=tap"}
	for _, file := range files {
		arguments = append(arguments, "test/"+filepath.Base(file))
	}
	said := run(t, "node", "node", arguments...)
	expect(t, said, `(?m)^# pass (1[89]|2\d)$`, `(?m)^# fail 0$`, `(?m)^# skipped 0$`, `(?m)^# todo 0$`)
}

// TestPython runs all of its tests, with warnings as errors.
func TestPython(t *testing.T) {
	t.Parallel()
	said := run(t, "python", "python3", "-W", "error", "-m", "unittest", "discover", "-s", "tests", "-t", ".")
	expect(t, said, `(?m)^Ran 19 tests in `, `(?m)^OK$`)
}

// TestNodeTypes has the compiler read what the types promise.
func TestNodeTypes(t *testing.T) {
	t.Parallel()
	compiler := absolute(t, modules+"/clients/node/node_modules/typescript/bin/tsc")
	run(t, "node", "node", compiler, "--project", "test/tsconfig.json")
}

// TestNodePackage holds that what would be published is all that is needed: it is
// unpacked elsewhere, imported, required and compiled against.
func TestNodePackage(t *testing.T) {
	t.Parallel()
	dir := withPackage(t)
	const use = `verify({ headers: {}, body: '', secrets: [] })`
	for name, program := range map[string]string{
		"a.mjs": `import { verify } from '@compliancelayer/webhooks'; try { ` + use + ` } catch (e) { console.log(e.code) }`,
		"b.cjs": `const { verify } = require('@compliancelayer/webhooks'); try { ` + use + ` } catch (e) { console.log(e.code) }`,
	} {
		write(t, filepath.Join(dir, name), program)
		if said := run(t, dir, "node", name); said != "no_signature\n" {
			t.Errorf("%s says %q, want no_signature", name, said)
		}
	}
	for _, name := range []string{"types.mts", "types.cts", "tsconfig.json"} {
		copyFile(t, filepath.Join("node/test", name), filepath.Join(dir, name))
	}
	run(t, dir, "node", absolute(t, modules+"/clients/node/node_modules/typescript/bin/tsc"), "--project", "tsconfig.json")
}

func TestNodeExamples(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"express", "fastify"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := withPackage(t)
			for _, module := range []string{"express", "fastify"} {
				if err := os.Symlink(absolute(t, modules+"/examples/node/node_modules/"+module), filepath.Join(dir, "node_modules", module)); err != nil {
					t.Fatal(err)
				}
			}
			for _, file := range []string{"package.json", name + ".js", "inbox.js", "handle.js"} {
				copyFile(t, filepath.Join("../examples/node", file), filepath.Join(dir, file))
			}
			receive(t, dir, nil, "node", name+".js")
		})
	}
}

func TestPythonExample(t *testing.T) {
	t.Parallel()
	receive(t, t.TempDir(), []string{"PYTHONPATH=" + absolute(t, "python")}, "python3", "-W", "error", absolute(t, "../examples/python/receiver.py"))
}

// receive starts a receiver and sends it what it takes and what it must not; then it
// starts it again, and the event is still known.
func receive(t *testing.T, dir string, env []string, command ...string) {
	t.Helper()
	old, secret, address := webhook.NewSecret(), webhook.NewSecret(), freeAddress(t)
	url := "http://" + address + "/webhooks/compliancelayer"
	client := &http.Client{Timeout: 10 * time.Second}
	sender := &webhooktest.Sender{URL: url, Secret: secret, Client: client}
	event := webhooktest.NewEvent("scan.completed", `{"domain":"Zürich.example","score":85.0,"grade":"B <!channel>","critical_issues":0}`)
	odd := webhooktest.NewEvent("scan.completed", `{"domain":"odd\ud800.example","score":70,"grade":"C"}`)
	chat := newSlack(t)
	env = append(env, "SLACK_TOKEN="+slackToken, "SLACK_CHANNEL="+slackChannel, "SLACK_API="+chat.URL)
	env = append(os.Environ(), append(env, "PYTHONDONTWRITEBYTECODE=1", "LISTEN="+address, "COMPLIANCELAYER_SECRET="+old.Reveal()+","+secret.Reveal())...)

	first := start(t, dir, env, command)
	sent := until(t, sender, event, first)
	check(t, "the first", sent, nil, http.StatusOK, "kept")
	again, err := sender.Retry(t.Context(), sent)
	check(t, "a copy", again, err, http.StatusOK, "known")
	send := func(name string, change func(*webhooktest.Sender), status int, answer string) {
		t.Helper()
		other := &webhooktest.Sender{URL: url, Secret: secret, Client: client}
		change(other)
		got, err := other.Send(t.Context(), webhooktest.NewEvent("alert.triggered", `{"severity":"high","title":"t","domain":"d"}`))
		check(t, name, got, err, status, answer)
	}
	send("signed with the old secret", func(s *webhooktest.Sender) { s.Secret = old }, http.StatusOK, "kept")
	send("forged", func(s *webhooktest.Sender) { s.Secret = webhook.NewSecret() }, http.StatusUnauthorized, "")
	send("too old", func(s *webhooktest.Sender) { s.Now = func() time.Time { return time.Now().Add(-time.Hour) } }, http.StatusUnauthorized, "")
	atOnce(t, sender)
	post(t, client, url, "", http.StatusUnauthorized)
	post(t, client, url, `{"id":"x"}`, http.StatusUnauthorized)
	post(t, client, url, strings.Repeat("x", 1<<20+1), http.StatusRequestEntityTooLarge)
	first.said.wait(t, `Zürich\.example\W+85\W`) // it is handled after it was answered
	chat.want(t, `^Zürich\.example\W+85\b.*B`)
	sent, err = sender.Send(t.Context(), odd) // half a character, and no count
	check(t, "an odd one", sent, err, http.StatusOK, "kept")
	chat.want(t, `^odd.*\.example\W+70\b.*C`)
	stop(t, first)

	second := start(t, dir, env, command)
	check(t, "a copy after a restart", until(t, sender, event, second), nil, http.StatusOK, "known")
	stop(t, second)

	refuse(t, start(t, dir, append(env, "SLACK_TOKEN="+slackToken+"\n"), command), "SLACK_TOKEN is not a token")
	refuse(t, start(t, dir, append(env, "SLACK_CHANNEL="), command), "SLACK_CHANNEL is not")
	refuse(t, start(t, dir, append(env, "COMPLIANCELAYER_SECRET=whsec_typo"), command), "must be whsec_ followed by the padded base64")
}

// refuse holds that a program with a mistake in its settings ends at once, says why, and
// quotes nothing.
func refuse(t *testing.T, mistaken *receiver, why string) {
	t.Helper()
	err, said := mistaken.command.Wait(), mistaken.said.String()
	if err == nil || !strings.Contains(said, why) || strings.Contains(said, slackToken) || strings.Contains(said, "whsec_typo") {
		t.Errorf("it ended with %v, want %q and no secret in:\n%s", err, why, said)
	}
}

// atOnce sends many copies of an event at the same time: of these exactly one is new.
func atOnce(t *testing.T, sender *webhooktest.Sender) {
	t.Helper()
	event := webhooktest.NewEvent("score.changed", `{"domain":"example.com"}`)
	var kept, known atomic.Int32
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			sent, err := sender.Send(t.Context(), event)
			switch answer := string(sent.Answer); {
			case err != nil || sent.Status != http.StatusOK:
				t.Errorf("one of many copies: answered %d %q, %v", sent.Status, answer, err)
			case answer == "kept":
				kept.Add(1)
			case answer == "known":
				known.Add(1)
			}
		})
	}
	all.Wait()
	if kept.Load() != 1 || known.Load() != 19 {
		t.Errorf("of 20 copies at once %d were new and %d known, want 1 and 19", kept.Load(), known.Load())
	}
}

// receiver is a running example.
type receiver struct {
	command *exec.Cmd
	said    output
}

// output is what a program has said so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write takes what it says.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// String is all of it.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// wait waits until the program has said something.
func (o *output) wait(t *testing.T, pattern string) {
	t.Helper()
	want := regexp.MustCompile(pattern)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); <-tick.C {
		if want.MatchString(o.String()) {
			return
		}
	}
	t.Errorf("within a minute it did not say %s:\n%s", pattern, o.String())
}

func start(t *testing.T, dir string, env, command []string) *receiver {
	t.Helper()
	r := &receiver{command: exec.CommandContext(t.Context(), command[0], command[1:]...)}
	r.command.Dir, r.command.Env, r.command.Stdout, r.command.Stderr = dir, env, &r.said, &r.said
	if err := r.command.Start(); err != nil {
		t.Fatalf("%v (make prepare installs what is missing)", err)
	}
	return r
}

// stop asks it to end, and it must end well.
func stop(t *testing.T, r *receiver) {
	t.Helper()
	if err := r.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := r.command.Wait(); err != nil {
		t.Errorf("it ended with %v:\n%s", err, r.said.String())
	}
}

// until sends the event until the program listens.
func until(t *testing.T, sender *webhooktest.Sender, event webhook.Event, r *receiver) webhooktest.Sent {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); <-tick.C {
		if sent, err := sender.Send(t.Context(), event); err == nil {
			return sent
		}
	}
	_ = r.command.Process.Kill()
	_ = r.command.Wait()
	t.Fatalf("it did not listen within a minute:\n%s", r.said.String())
	return webhooktest.Sent{}
}

func check(t *testing.T, name string, sent webhooktest.Sent, err error, status int, answer string) {
	t.Helper()
	if err != nil || sent.Status != status || !strings.Contains(string(sent.Answer), answer) {
		t.Errorf("%s: answered %d %q, %v; want %d %q", name, sent.Status, sent.Answer, err, status, answer)
	}
}

// post sends a body without a signature. A server may answer before it has read all of a
// large body and hang up, which can reach the client before the answer does; so what was
// cut off is sent again.
func post(t *testing.T, client *http.Client, url, body string, status int) {
	t.Helper()
	var err error
	for range 20 {
		var got int
		if got, err = postOnce(t, client, url, body); err == nil {
			if got != status {
				t.Errorf("%d bytes without a signature: answered %d, want %d", len(body), got, status)
			}
			return
		}
	}
	t.Errorf("%d bytes without a signature: %v; want %d", len(body), err, status)
}

func postOnce(t *testing.T, client *http.Client, url, body string) (status int, err error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, err
}

// withPackage makes a folder with the library in its node_modules, as npm would install it.
func withPackage(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	into := filepath.Join(dir, "node_modules/@compliancelayer/webhooks")
	if err := os.MkdirAll(into, 0o700); err != nil {
		t.Fatal(err)
	}
	run(t, "node", "npm", "pack", "--silent", "--offline", "--ignore-scripts", "--cache", t.TempDir(), "--pack-destination", dir)
	run(t, dir, "tar", "-xzf", "compliancelayer-webhooks-0.1.0.tgz", "--strip-components", "1", "-C", into)
	return dir
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	write(t, to, string(text))
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	full, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(full); err != nil {
		t.Fatalf("%v (make prepare fetches what is missing)", err)
	}
	return full
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
