// Package nearest finds what somebody probably meant to write: the known name that is nearest to one that is not known,
// for the errors of the API, the command line and files of settings. It knows no names itself.
package nearest

import "strings"

// maxBytes is the longest name that is looked at: finding costs the product of two lengths, and no name is longer.
const maxBytes = 128

// Name returns the known name that name was probably meant to be, or "" if none is near enough. It sees through
// capitals, wrong separators (scan_completed, scan/completed), a few wrong letters, and a first word alone.
func Name(name string, known []string) string {
	if len(name) > maxBytes {
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
