//go:build !unix

package sqlstore

// names counts the hard links of a file; 1 when that cannot be found out.
func names(string) uint64 { return 1 }
