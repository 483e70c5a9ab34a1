package sqlstore

import (
	"time"
)

// effort is how much a list of few matches looks at. A test has less of it.
type effort struct {
	// step bounds how many rows one statement looks at.
	step int
	// patience is how long a page looks for rows that match. Then it is answered as far as it
	// is, with where to go on.
	patience time.Duration
}

// fullEffort has steps that take a few hundredths of a second each, so that a filter that nearly all match costs no
// more than a list without one.
func fullEffort() effort { return effort{step: 10_000, patience: time.Second} }

// search is a list whose filter compares what no index holds. It walks an index, and looks at
// each row: however few match, a page ends.
type search[T any] struct {
	patience time.Duration
	// reach gives the place of the last row that the next step looks at; false when less than a step is left.
	reach func(after position) (end position, goesOn bool, err error)
	// read gives the first rows that match, from behind after to end.
	read func(after, end position, most int) ([]T, error)
	at   func(T) position
}

// page reads a page that begins behind a place. Nothing is passed over that was there all the while: where a step ends is
// known before its rows are read, and rows keep their places.
func (s search[T]) page(after position, limit int) ([]T, string, error) {
	var found []T
	for began := time.Now(); ; {
		end, goesOn, err := s.reach(after)
		if err != nil {
			return nil, "", err
		}
		rows, err := s.read(after, end, limit+1-len(found))
		if err != nil {
			return nil, "", err
		}
		found = append(found, rows...)
		switch {
		case len(found) > limit || !goesOn:
			found, next := cut(found, limit, s.at)
			return found, next, nil
		case time.Since(began) >= s.patience:
			return found, end.String(), nil
		}
		after = end
	}
}
