package relay

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/compliancelayer/compliancelayer/receiver/internal/vendor"
)

// value is a node and the path to it.
type value struct {
	node *yaml.Node
	path string
}

func (r *reader) wrong(v *value, format string, args ...any) {
	r.add(v.node.Line, v.path, format, args...)
}

// kind is what a value is called.
func (v *value) kind() string {
	switch v.node.Kind {
	case yaml.MappingNode:
		return "a map of keys"
	case yaml.SequenceNode:
		return "a list"
	}
	switch v.node.ShortTag() {
	case "!!null":
		return "empty"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "a truth value"
	case "!!timestamp":
		return "a date"
	}
	return "a text"
}

// scalar reports whether v is a value of one of the tags; if not, that is a mistake, in
// which want says what belongs here. An alias was told already.
func (r *reader) scalar(v *value, want string, tags ...string) bool {
	switch {
	case v.node.Kind == yaml.AliasNode, isTemplate(v.node):
		return false
	case v.node.Kind == yaml.ScalarNode && v.node.ShortTag() == "!!null":
		r.wrong(v, "there is nothing here; write %s%s", want, r.hidden(v))
		return false
	case v.node.Kind != yaml.ScalarNode || !slices.Contains(tags, v.node.ShortTag()):
		r.wrong(v, "it is %s, but must be %s", v.kind(), want)
		return false
	}
	return true
}

// hidden says why there is nothing where somebody may have written something.
func (r *reader) hidden(v *value) string {
	if _, rest := r.split(v.node.Line, v.node.Column-1); comment.MatchString(rest) {
		return hash
	}
	return ""
}

// text is a text that is not empty, or "" and a mistake.
func (r *reader) text(v *value) string {
	switch {
	case v.node.Kind == yaml.ScalarNode && slices.Contains([]string{"!!int", "!!float", "!!bool", "!!timestamp"}, v.node.ShortTag()):
		r.wrong(v, "it is %s to YAML, but must be a text; put it in quotes", v.kind())
		return ""
	case !r.scalar(v, "a text", "!!str", "!!merge"):
		return ""
	case strings.TrimSpace(v.node.Value) == "":
		r.wrong(v, "the text is empty")
		return ""
	}
	return v.node.Value
}

// line is a text without line breaks and other control characters.
func (r *reader) line(v *value) string {
	text := r.text(v)
	if strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		r.wrong(v, "there is a line break or a tab in the text")
		return ""
	}
	return text
}

// choice is one of a few words.
func (r *reader) choice(v *value, known []string) string {
	text := r.text(v)
	if text != "" && !slices.Contains(known, text) {
		r.wrong(v, "%s is not known here; %s", quoted(text), meant(text, known))
		return ""
	}
	return text
}

// yes is a truth value.
func (r *reader) yes(v *value) bool {
	return r.scalar(v, "true or false", "!!bool") && strings.EqualFold(v.node.Value, "true")
}

// number is a whole number within bounds.
func (r *reader) number(v *value, least, most int) int {
	want := fmt.Sprintf("a whole number from %d to %d", least, most)
	if !r.scalar(v, want, "!!int") {
		return least
	}
	n, err := strconv.Atoi(v.node.Value)
	if err != nil || n < least || n > most {
		r.wrong(v, "it is %s, but must be %s", quoted(v.node.Value), want)
		return least
	}
	return n
}

// span is a length of time: of Go's units, or days.
func (r *reader) span(v *value, least, most time.Duration) time.Duration {
	if v.node.Kind == yaml.ScalarNode && (v.node.ShortTag() == "!!int" || v.node.ShortTag() == "!!float") {
		r.wrong(v, "%s has no unit; write for example %ss, 15m, 24h or 7d", quoted(v.node.Value), strings.TrimLeft(v.node.Value, "+-"))
		return least
	}
	if !r.scalar(v, "a time such as 30s, 15m, 24h or 7d", "!!str") {
		return least
	}
	d, ok := parseSpan(v.node.Value)
	switch {
	case !ok:
		r.wrong(v, "%s is not a time; write for example 30s, 15m, 24h or 7d", quoted(v.node.Value))
		return least
	case d < least || d > most:
		r.wrong(v, "%s is not within %s and %s", quoted(v.node.Value), spanText(least), spanText(most))
		return least
	}
	return d
}

const day = 24 * time.Hour

func parseSpan(text string) (time.Duration, bool) {
	days, rest, hasDays := strings.Cut(text, "d")
	if !hasDays {
		days, rest = "0", text
	}
	n, err := strconv.ParseUint(days, 10, 32)
	if err != nil || n > 36500 { // a century; more overflows sooner or later
		return 0, false
	}
	total := time.Duration(n) * day
	if hasDays && rest == "" {
		return total, true
	}
	d, err := time.ParseDuration(rest)
	return total + d, err == nil && d >= 0 && total+d >= total && rest[0] != '-' && rest[0] != '+'
}

// spanText writes a length of time as the file has it.
func spanText(d time.Duration) string {
	if d >= day && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// template is a text that package vendor can read as a template.
func (r *reader) template(v *value) string {
	text := r.text(v)
	if text == "" {
		return ""
	}
	_, err := vendor.Parse(v.path, text, nil)
	if err == nil {
		return text
	}
	// What it says begins with its own line, which within a block is one of the file.
	_, said, _ := strings.Cut(err.Error(), ", line ")
	where, what, _ := strings.Cut(said, ": ")
	number, _, _ := strings.Cut(where, ":")
	line := v.node.Line
	if n, err := strconv.Atoi(number); err == nil && v.node.Style&yaml.LiteralStyle != 0 {
		line += n
	}
	what = strings.TrimPrefix(what, fmt.Sprintf("executing %q at ", v.path))
	what = strings.TrimSuffix(what, " in type vendor.Data")
	r.add(line, v.path, "the template is wrong in its line %s: %s", number, what)
	return ""
}

// list gives the values of a list that is not empty.
func (r *reader) list(v *value) []*value {
	switch {
	case v.node.Kind == yaml.AliasNode, isTemplate(v.node):
		return nil
	case v.node.Kind == yaml.ScalarNode && v.node.ShortTag() == "!!null":
		r.wrong(v, "there is nothing here; write a list, such as [a, b]%s", r.hidden(v))
		return nil
	case v.node.Kind != yaml.SequenceNode:
		r.wrong(v, "it is %s, but must be a list, such as [a, b]", v.kind())
		return nil
	case len(v.node.Content) == 0:
		r.wrong(v, "the list is empty")
		return nil
	}
	items := make([]*value, len(v.node.Content))
	for i, node := range v.node.Content {
		items[i] = &value{node, index(v.path, i)}
	}
	return items
}

// each reads the values of a list, and leaves out those that one gave nothing for.
func (r *reader) each(v *value, one func(*value) string) []string {
	var texts []string
	seen := map[string]bool{"": true}
	for _, item := range r.list(v) {
		text := one(item)
		switch {
		case !seen[text]:
			seen[text] = true
			texts = append(texts, text)
		case text != "":
			r.wrong(item, "%s is there twice", quoted(text))
		}
	}
	return texts
}

func index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
