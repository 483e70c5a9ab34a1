package auth

// Cached counts the keys in the cache.
func (a *Authenticator) Cached() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.cache)
}
