package catalog

import (
	"errors"
	"fmt"
	"strings"
)

// Limits of type names. Five segments are one more than any catalogue of events that we know of uses.
const (
	maxNameBytes    = 128
	minNameSegments = 2
	maxNameSegments = 5
)

// ValidName returns nil if an account may register a type of that name: 2 to 5 segments of lower-case letters, digits
// and underscores, joined by dots, 128 bytes at most, not the name of a built-in type, and without the prefixes
// endpoint. and delivery., which are kept for operational events. The error is a sentence for the person who chose the name.
func ValidName(name string) error {
	if err := checkNameForm(name); err != nil {
		return err
	}
	if _, builtin := Lookup(name); builtin {
		return fmt.Errorf("%s is a built-in event type: choose another name", name)
	}
	if IsOperational(name) {
		prefix, _, _ := strings.Cut(name, ".")
		return fmt.Errorf("names that start with %s. are kept for operational events: choose another first word", prefix)
	}
	return nil
}

// checkNameForm checks the form of a type name, whoever it belongs to.
func checkNameForm(name string) error {
	if name == "" {
		return errors.New("the name is empty: give it two or more words joined by dots, such as scan.completed")
	}
	if err := checkWords(name); err != nil {
		return err
	}
	switch segments := strings.Count(name, ".") + 1; {
	case segments < minNameSegments:
		return fmt.Errorf("%q is one word: a name has two or more, joined by dots, such as scan.completed", name)
	case segments > maxNameSegments:
		return fmt.Errorf("the name has %d words: at most %d are allowed", segments, maxNameSegments)
	}
	return nil
}

// checkWords checks length, characters and dots, but not the number of words.
func checkWords(name string) error {
	if len(name) > maxNameBytes {
		return fmt.Errorf("the name is %d bytes long: at most %d are allowed", len(name), maxNameBytes)
	}
	for _, r := range name {
		if !isNameRune(r) {
			return fmt.Errorf("%q contains %q: use only lower-case letters, digits, underscores and dots", name, r)
		}
	}
	for segment := range strings.SplitSeq(name, ".") {
		if segment == "" {
			return fmt.Errorf("%q has an empty word: put exactly one dot between two words and none at the ends", name)
		}
	}
	return nil
}

func isNameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' || r == '.'
}
