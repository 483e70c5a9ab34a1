package relay

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/compliancelayer/compliancelayer/webhook"
)

// maxSecret is the longest secret in bytes; a list of signing secrets is one, too.
const maxSecret = 64 << 10

// secretFile reads a file that holds a secret. Open says that everybody on the machine
// may read it.
type secretFile func(path string) (text []byte, open bool, err error)

var (
	errNoFile = errors.New("it is not an ordinary file")
	errLong   = fmt.Errorf("it is longer than %d bytes", maxSecret)
)

func readSecretFile(path string) (text []byte, open bool, err error) {
	info, err := os.Stat(path) // before it is opened: to open a pipe may wait for ever
	if err != nil {
		return nil, false, err
	}
	if !info.Mode().IsRegular() {
		return nil, false, errNoFile
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	text, err = io.ReadAll(io.LimitReader(file, maxSecret+1))
	if err == nil && len(text) > maxSecret {
		err = errLong
	}
	// Windows has no such bits.
	return text, runtime.GOOS != "windows" && info.Mode().Perm()&0o004 != 0, err
}

// variableName is the form of a name that a shell can set.
var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// secretText reads {env: NAME} or {file: PATH}. From is where the text is, for errors; it
// is "" after a mistake.
func (r *reader) secretText(v *value) (text, from string) {
	key, _, inList := strings.Cut(v.path[strings.LastIndexByte(v.path, '.')+1:], "[")
	before := len(r.found)
	if v.node.Kind == yaml.ScalarNode && v.node.ShortTag() != "!!null" {
		what := key + ": "
		if inList {
			what = "- "
		}
		r.wrong(v, "a secret does not stand in this file; put it into the environment: %s{env: %s}, or into a file: %s{file: PATH}", what, exampleVariable(v.path), what)
		return "", ""
	}
	o := r.object(v)
	env, file := o.take("env"), o.take("file")
	o.end()
	switch {
	case len(r.found) > before || o.broken:
		return "", ""
	case env != nil && file != nil:
		r.wrong(v, "there are both env and file; write one of them")
		return "", ""
	case env != nil:
		return r.fromEnv(env)
	case file != nil:
		return r.fromFile(file)
	}
	r.wrong(v, "there is neither env nor file; write {env: %s} or {file: PATH}", exampleVariable(v.path))
	return "", ""
}

// exampleVariable is how the variable of a key might be called: SLACK_TOKEN.
func exampleVariable(path string) string {
	words := strings.Split(path, ".")
	switch key := words[len(words)-1]; {
	case strings.HasPrefix(path, "secrets"):
		return "COMPLIANCELAYER_SECRET"
	case len(words) >= 2 && slices.Contains(kinds, words[len(words)-2]):
		return strings.ToUpper(words[len(words)-2] + "_" + key)
	}
	return "NAME"
}

func (r *reader) fromEnv(v *value) (text, from string) {
	name := r.line(v)
	switch {
	case name == "":
		return "", ""
	case !variableName.MatchString(name):
		r.wrong(v, "it must be the name of an environment variable, such as SLACK_TOKEN")
		return "", ""
	}
	from = "the environment variable " + shown(name)
	text, ok := r.env(name)
	switch {
	case !ok:
		r.wrong(v, "%s is not set", from)
	case text == "":
		r.wrong(v, "%s is empty", from)
	default:
		r.variables = append(r.variables, name)
		return text, from
	}
	return "", ""
}

func (r *reader) fromFile(v *value) (text, from string) {
	path := r.line(v)
	if path == "" {
		return "", ""
	}
	from = "the file " + shown(path)
	r.secretFiles = append(r.secretFiles, namedFile{placeOf(r.beside(path)), v.node.Line})
	raw, open, err := r.readFile(r.beside(path))
	text = strings.TrimSuffix(strings.TrimSuffix(string(raw), "\n"), "\r")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.wrong(v, "there is no file %s", shown(path))
	case errors.Is(err, fs.ErrPermission):
		r.wrong(v, "%s may not be read by this user", from)
	case errors.Is(err, errNoFile), errors.Is(err, errLong):
		r.wrong(v, "%s cannot be used: %s", from, err)
	case err != nil:
		r.wrong(v, "%s cannot be read", from) // the system's words repeat the path
	case text == "":
		r.wrong(v, "%s is empty", from)
	default:
		if open {
			r.warn(v.node.Line, v.path, "everybody on this machine may read %s; chmod o-r helps", from)
		}
		return text, from
	}
	return "", ""
}

// shown is the name of a variable or a file, unless it looks as if the secret itself was
// written in its place.
func shown(name string) string {
	if looksSecret(name) {
		return "that is named here"
	}
	return name
}

func looksSecret(name string) bool {
	return strings.HasPrefix(name, "whsec_") || strings.HasPrefix(name, "xox") || strings.Contains(name, "://") ||
		len(name) >= 20 && !strings.ContainsAny(name, `_./\`)
}

// beside makes a path one that begins at the folder of the configuration.
func (r *reader) beside(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(r.file), path)
}

// secretOf reads a secret of one line, and what is wrong with it by check, which does not
// repeat it.
func (r *reader) secretOf(v *value, check func(string) string) Secret {
	text, from := r.secretText(v)
	if from == "" {
		return Secret{}
	}
	what := ""
	switch {
	case strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7f }):
		what = "it has a line break or another control character"
	case strings.TrimSpace(text) != text:
		what = "it begins or ends with a space"
	case check != nil:
		what = check(text)
	}
	if what != "" {
		r.wrong(v, "what is in %s cannot be used: %s", from, what)
		return Secret{}
	}
	return NewSecret(text)
}

// plainError says what is wrong with a signing secret; that it is one, the key says.
func plainError(err error) string {
	return strings.ReplaceAll(err.Error(), webhook.ErrBadSecret.Error()+": ", "")
}

func (o *object) secret(key string, check func(string) string) Secret {
	if v := o.take(key); v != nil {
		return o.r.secretOf(v, check)
	}
	return Secret{}
}

func (o *object) needSecret(key, why string, check func(string) string) Secret {
	if v := o.need(key, why); v != nil {
		return o.r.secretOf(v, check)
	}
	return Secret{}
}

// badURL says what is wrong with an address and does not repeat it.
func (r *reader) badURL(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "" || u.Scheme != "https" && u.Scheme != "http":
		return "it is not an address that begins with https://"
	case u.User != nil:
		return "there is a name or a password before the @ of the address, which is not sent"
	case u.Fragment != "":
		return "there is a # in the address; what follows it is not sent"
	case u.Scheme == "http" && !r.dev:
		return "the address begins with http://, which is for development: use https, or dev: true"
	}
	return ""
}
