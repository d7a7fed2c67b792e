// Package secret tells which values of an environment are secrets.
package secret

import (
	"regexp"
	"strings"
)

// min is the length in bytes of the shortest value that counts as a secret. A shorter
// value may be a switch such as "true".
const min = 8

var (
	// secretName matches the names of variables that hold secrets. plainName matches
	// the exceptions: variables that only tell where something is.
	secretName = regexp.MustCompile(`(?i)token|secret|passw|passphrase|credential|cookie|api_?key|(^|_)(key|auth|pat|pass|headers|dsn)(_|$)`)
	plainName  = regexp.MustCompile(`(?i)_(file|path|dir|sock|socket|home|proxy|command|cmd)$`)

	// password matches a password in a URL, also in a malformed one.
	password = regexp.MustCompile(`[^\s:/@]*:([^\s/@]+)@`)
)

// Named returns the value of an entry "NAME=VALUE" if its name says that it is a
// secret, else "".
func Named(entry string) string {
	name, value, _ := strings.Cut(entry, "=")
	if len(value) < min || !secretName.MatchString(name) || plainName.MatchString(name) {
		return ""
	}
	return value
}

// Values returns the secrets of an environment: the values of variables whose names say
// so, and the passwords in URLs.
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
