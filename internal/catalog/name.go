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

// NearestName returns the known name that name was probably meant to be, or "" if none is near enough. It sees through
// capitals, wrong separators (scan_completed, scan/completed), a few wrong letters, and a first word alone.
func NearestName(name string, known []string) string {
	if len(name) > maxNameBytes {
		return ""
	}
	got := plainName(name)
	// A third of the letters wrong is the most that still looks like a slip and not like another word.
	best, bestDistance := "", max(1, len(got)/3)+1
	for _, candidate := range known {
		if d := editDistance(got, plainName(candidate)); d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	if best != "" {
		return best
	}
	for _, candidate := range known {
		if strings.HasPrefix(candidate, got+".") {
			return candidate
		}
	}
	return ""
}

// plainName writes every separator as a dot and every letter small, so that only spelling is left to compare.
func plainName(name string) string {
	return strings.NewReplacer("_", ".", "-", ".", "/", ".", ":", ".", " ", ".").Replace(strings.ToLower(name))
}

// editDistance counts the letters to insert, delete, replace or swap with their neighbour to get from a to b.
func editDistance(a, b string) int {
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := above[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(above[j]+1, row[j-1]+1, replace)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}
