package main

import (
	"net/netip"
	"net/url"
	"unicode/utf8"

	"github.com/compliancelayer/compliancelayer/internal/app"
	"github.com/compliancelayer/compliancelayer/internal/egress"
)

// longestButton is how long the name on a button may be, in characters.
const longestButton = 40

// checkSignOn checks the settings of single sign-on, and the public address, which it needs.
func checkSignOn(cfg app.Config, targets *egress.Policy) error {
	if cfg.PublicURL != "" {
		if err := checkPublic(cfg.PublicURL); err != nil {
			return err
		}
	}
	set := cfg.SingleSignOn
	needed := []struct{ flag, value string }{{"oidc-issuer", set.Issuer}, {"oidc-client-id", set.ClientID}, {"oidc-client-secret", set.ClientSecret}}
	given, missing := "", ""
	for _, n := range needed {
		if n.value != "" {
			given = n.flag
			continue
		}
		missing = n.flag
	}
	if given == "" {
		return nil
	}
	if missing != "" {
		return misuse("--%s: is missing, and single sign-on needs it beside --%s (%s)", missing, given, variableOf(missing))
	}
	if _, err := targets.ParseTarget(set.Issuer); err != nil {
		return misuse("--oidc-issuer: %w", err)
	}
	if n := utf8.RuneCountInString(set.Name); n == 0 || n > longestButton {
		return misuse("--oidc-name: must have 1 to %d characters", longestButton)
	}
	return nil
}

// checkPublic checks the address of the dashboard: browsers keep its cookies over https, and from this machine.
func checkPublic(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.Path != "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return misuse("--public-url: write scheme and host alone, such as https://hooks.example.com")
	}
	ip, err := netip.ParseAddr(u.Hostname())
	if local := u.Hostname() == "localhost" || err == nil && ip.IsLoopback(); u.Scheme == "http" && !local {
		return misuse("--public-url: must be https, or nobody can sign in: browsers keep the dashboard's cookies over https only")
	}
	return nil
}
