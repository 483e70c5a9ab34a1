//go:build !failpoints

package failpoint

// On tells whether the places are compiled in.
const On = false

// Hit does nothing.
func Hit(string) {}
