package datadog

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxTag is the longest tag in characters
	// (https://docs.datadoghq.com/getting_started/tagging/#define-tags).
	maxTag = 200
	// maxKey is the longest aggregation key in characters
	// (https://docs.datadoghq.com/api/latest/events/#post-an-event).
	maxKey = 100

	// eventTag carries the id of the event that a post was made of: by it a repeated
	// event finds that it was posted before.
	eventTag = "compliancelayer_event"
)

// tag makes a tag as Datadog would store it: it begins with a letter, is in lower case,
// and has underscores in place of what a tag cannot have. So what is searched for is
// what was posted, and no value can become two tags.
func tag(key, value string) string {
	var b strings.Builder
	n := 0
	for _, c := range strings.ToLower(strings.ToValidUTF8(key+":"+value, "_")) {
		if n == 0 && !unicode.IsLetter(c) {
			continue
		}
		if !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("_-:./", c) {
			c = '_'
		}
		if c == '_' && strings.HasSuffix(b.String(), "_") {
			continue
		}
		if n++; n > maxTag {
			break
		}
		b.WriteRune(c)
	}
	return strings.TrimRight(b.String(), "_:")
}

// tagOf makes a tag of what somebody wrote into the settings: KEY:VALUE or a word.
func tagOf(text string) string {
	key, value, _ := strings.Cut(strings.TrimSpace(text), ":")
	return tag(key, value)
}

// idTag is the tag of an event's id. Datadog changes what it cannot store, so an id that
// is not stored as it is goes as its hash: two ids must not have one tag.
func idTag(id string) string {
	if plain := tag(eventTag, id); plain == eventTag+":"+id {
		return plain
	}
	return eventTag + ":sha256_" + hash(id)
}

// keyOf makes an aggregation key: what has the same is shown as one group.
func keyOf(domain, kind string) string {
	key := "compliancelayer:" + strings.ToLower(domain) + ":" + kind
	if utf8.RuneCountInString(key) > maxKey {
		return "compliancelayer:sha256_" + hash(key)
	}
	return strings.ToValidUTF8(key, "_")
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}
