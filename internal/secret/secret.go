// Package secret tells which values of an environment are secrets.
package secret

import (
	"regexp"
	"strings"
)

// min is the length in bytes from which a value is taken for a secret. Below
// that it may as well be a switch.
const min = 8

var (
	// secretName is the name of a variable that holds a secret, plainName that of
	// one that after all only tells where something is.
	secretName = regexp.MustCompile(`(?i)token|secret|passw|passphrase|credential|cookie|api_?key|(^|_)(key|auth|pat|pass|headers|dsn)(_|$)`)
	plainName  = regexp.MustCompile(`(?i)_(file|path|dir|sock|socket|home|proxy|command|cmd)$`)

	// password is one in a URL, or in what was meant to be one.
	password = regexp.MustCompile(`[^\s:/@]*:([^\s/@]+)@`)
)

// Named returns the value of an entry "NAME=VALUE" that by its name is a secret,
// else "".
func Named(entry string) string {
	name, value, _ := strings.Cut(entry, "=")
	if len(value) < min || !secretName.MatchString(name) || plainName.MatchString(name) {
		return ""
	}
	return value
}

// Values returns the secrets of an environment: the values that are secrets by
// their names, and the passwords in URLs.
func Values(environ []string) (secrets []string) {
	for _, entry := range environ {
		if s := Named(entry); s != "" {
			secrets = append(secrets, s)
		}
		_, value, _ := strings.Cut(entry, "=")
		for _, m := range password.FindAllStringSubmatch(value, -1) {
			secrets = append(secrets, m[1])
		}
	}
	return secrets
}
