package tuiturn

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/tuiturn/tuiturn/internal/agent"
	"github.com/tuiturn/tuiturn/internal/drive"
)

// checkEnv refuses entries that are not variables or that the Runner sets itself. Its
// errors do not repeat an entry, because an entry may be a secret.
func checkEnv(field string, env []string, traits agent.Traits) error {
	for i, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		switch {
		case strings.Contains(kv, "\x00"):
			return fmt.Errorf("%s[%d] holds a NUL byte: remove it", field, i)
		case !variable.MatchString(kv):
			return fmt.Errorf("%s[%d] is not a variable: write KEY=VALUE, with letters, digits and _ in KEY", field, i)
		case name == "HOME", slices.Contains(traits.HomeVars, name):
			// The transcript would be looked for elsewhere.
			return fmt.Errorf("%s[%d] moves the agent's home: set Runner.Home instead", field, i)
		case name == traits.TokenVar:
			return fmt.Errorf("%s[%d] is the token: set Runner.Token instead", field, i)
		case slices.Contains(traits.Harmful, name):
			return fmt.Errorf("%s[%d] is %s, with which no turn works: remove it", field, i, name)
		case slices.Contains(drive.Reserved, name):
			return fmt.Errorf("%s[%d] is %s, by which the Runner reaches the agent: remove it (git has GIT_EDITOR)", field, i, name)
		}
	}
	return nil
}

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)
