package web

// Patterns gives the patterns of all routes to tests that visit them.
func Patterns() []string {
	var all []string
	for _, rt := range new(Server).table() {
		all = append(all, rt.pattern)
	}
	return all
}
