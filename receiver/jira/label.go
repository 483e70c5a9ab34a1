package jira

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
)

const (
	// maxLabel is the longest label that Jira takes, in characters. It takes no spaces.
	maxLabel = 255

	domainPrefix = "compliancelayer-domain-"
	// testLabel stands in place of a domain's: tests have an issue of their own, so that
	// none is taken for the state of a domain.
	testLabel = "compliancelayer-test"
)

// plainDomain is what stands in a label as it is.
var plainDomain = regexp.MustCompile(`^[a-z0-9.-]{1,200}$`)

// labelOf gives the label by which the issue of a domain is found. What is no plain name
// is hashed; no plain name has an underscore, so that none can pass for a hash.
func labelOf(domain string) string {
	domain = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(domain), "."))
	if plainDomain.MatchString(domain) {
		return domainPrefix + domain
	}
	sum := sha256.Sum256([]byte(domain))
	return domainPrefix + "sha256_" + hex.EncodeToString(sum[:16])
}

// checkLabel tells whether Jira takes a label.
func checkLabel(label string) error {
	if label == "" || len(label) > maxLabel || strings.ContainsFunc(label, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return fmt.Errorf("label %q: Jira takes 1 to %d characters and no spaces", label, maxLabel)
	}
	return nil
}

// query is the JQL for the issues of a label in a project, the newest first; open leaves
// out those that are done.
func query(project, label string, open bool) string {
	jql := "project = " + quote(project) + " AND labels = " + quote(label)
	if open {
		jql += " AND statusCategory != Done"
	}
	return jql + " ORDER BY created DESC"
}

var inQuotes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`)

// quote makes a value of JQL, which nothing in the text can end.
func quote(text string) string { return `"` + inQuotes.Replace(text) + `"` }
