package relay

import (
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/compliancelayer/compliancelayer/internal/nearest"
)

// object is a map of the file. Which keys it may have is what it is asked for: end finds
// those that nobody asked for.
type object struct {
	r      *reader
	path   string
	line   int
	keys   []*yaml.Node // as they stand in the file
	values map[string]*value
	asked  map[string]bool
	broken bool // it is no map, which was told
	// deeper are keys that belong under another one, which is empty, by what they are.
	deeper map[string]string
}

// object reads a map. There is always one to ask, so that a wrong one is not an end.
func (r *reader) object(v *value) *object {
	o := &object{r: r, path: v.path, line: v.node.Line, values: map[string]*value{}, asked: map[string]bool{}}
	switch {
	case v.node.Kind == yaml.AliasNode, isTemplate(v.node):
		o.broken = true
	case v.node.Kind == yaml.ScalarNode && v.node.ShortTag() == "!!null": // what is missing in it is told
	case v.node.Kind != yaml.MappingNode:
		r.wrong(v, "it is %s, but must be a map of keys, such as name: value", v.kind())
		o.broken = true
	default:
		for i := 0; i+1 < len(v.node.Content); i += 2 {
			key := v.node.Content[i]
			if key.Kind != yaml.ScalarNode || key.Value == "<<" || o.values[key.Value] != nil {
				continue // told by form
			}
			o.keys = append(o.keys, key)
			o.values[key.Value] = &value{v.node.Content[i+1], under(v.path, key.Value)}
		}
	}
	return o
}

// take gives the value of a key, or nil.
func (o *object) take(key string) *value {
	o.asked[key] = true
	return o.values[key]
}

// need gives the value of a key that must be there.
func (o *object) need(key, why string) *value {
	v := o.take(key)
	if v == nil && !o.broken && !o.misspelt(key) {
		o.r.add(o.line, under(o.path, key), "it is missing: %s", why)
	}
	return v
}

// misspelt reports whether a key of the file was probably meant to be this one: end tells
// that, and nobody needs to hear it twice.
func (o *object) misspelt(key string) bool {
	return slices.ContainsFunc(o.keys, func(k *yaml.Node) bool {
		return k.Value != key && nearest.Name(k.Value, []string{key}) != ""
	})
}

// end tells the keys that nobody asked for.
func (o *object) end() {
	known := slices.Sorted(maps.Keys(o.asked))
	for _, key := range o.keys {
		switch {
		case o.asked[key.Value]:
		case o.deeper[key.Value] != "":
			o.r.add(key.Line, under(o.path, key.Value), "it belongs under %s, and must be indented further than that", o.deeper[key.Value])
		default:
			o.r.add(key.Line, under(o.path, key.Value), "there is no such key here; %s", meant(key.Value, known))
		}
	}
}

// belongs reports whether o has keys that were meant for inner, a map under key that is
// empty: what is missing there is then told as keys in the wrong place, by end.
func (o *object) belongs(key string, inner *object) bool {
	if len(inner.keys) > 0 || inner.broken {
		return false
	}
	found := false
	for _, k := range o.keys {
		if inner.asked[k.Value] && !o.asked[k.Value] {
			if o.deeper == nil {
				o.deeper = map[string]string{}
			}
			o.deeper[k.Value], found = key, true
		}
	}
	return found
}

func (o *object) text(key, otherwise string) string {
	if v := o.take(key); v != nil {
		return o.r.line(v)
	}
	return otherwise
}

func (o *object) choice(key, otherwise string, known ...string) string {
	if v := o.take(key); v != nil {
		return o.r.choice(v, known)
	}
	return otherwise
}

func (o *object) yes(key string, otherwise bool) bool {
	if v := o.take(key); v != nil {
		return o.r.yes(v)
	}
	return otherwise
}

func (o *object) number(key string, otherwise, least, most int) int {
	if v := o.take(key); v != nil {
		return o.r.number(v, least, most)
	}
	return otherwise
}

func (o *object) span(key string, otherwise, least, most time.Duration) time.Duration {
	if v := o.take(key); v != nil {
		return o.r.span(v, least, most)
	}
	return otherwise
}

func (o *object) texts(key string, one func(*value) string) []string {
	if v := o.take(key); v != nil {
		return o.r.each(v, one)
	}
	return nil
}

func (o *object) template(key string) string {
	if v := o.take(key); v != nil {
		return o.r.template(v)
	}
	return ""
}

// templates reads a map of templates by names that are the file's own.
func (o *object) templates(key string) map[string]string {
	v := o.take(key)
	if v == nil {
		return nil
	}
	found := map[string]string{}
	inner := o.r.object(v)
	for _, name := range inner.keys {
		found[name.Value] = inner.template(name.Value)
	}
	return found
}

// address is that of a server without a / at the end, or "" and a mistake.
func (o *object) address(key string) string {
	v := o.take(key)
	if v == nil {
		return ""
	}
	text := o.r.line(v)
	if text == "" {
		return ""
	}
	if what := o.r.badURL(text); what != "" {
		o.r.wrong(v, "%s", what)
		return ""
	}
	return strings.TrimRight(text, "/")
}
