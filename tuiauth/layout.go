package tuiauth

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A Layout describes the files and variables of one agent. This package needs them to
// prepare a home for the agent and to tell which credential the agent will use. A nil
// *Layout means claude. The zero Layout is invalid: at least Token and Credentials
// must be set. The package only reads a Layout, so several goroutines may share one.
//
// Paths use slashes. They are relative to the home unless a field says otherwise.
type Layout struct {
	// Name is the agent's name. Errors about the Layout show it.
	Name string

	// Token is the environment variable that carries the token. Credentials must
	// list Token too.
	Token string

	// Unattended are entries "NAME=VALUE" that Environ adds, so that the agent
	// starts without a person. They hold no secret.
	Unattended []string

	// Dir is the agent's own directory, such as ".codex". PrepareHome creates it.
	// Empty means that the agent keeps its files in the home itself.
	Dir string

	// DirVariable is the environment variable that names another directory for
	// the agent to use instead of Dir. Audit then looks in that directory for all
	// Settings and logins, including those that are outside Dir without the
	// variable. Empty means that the agent has no such variable.
	DirVariable string

	// Credentials lists where the agent looks for a credential, in decreasing
	// precedence.
	Credentials []Credential

	// Config returns the configuration files that PrepareHome changes, as
	// absolute paths. Nil means none.
	Config func(home string) []string

	// Seed returns the new content of the configuration file at path, so that the
	// agent starts in workdir without a question. It also returns the names of
	// the keys that differ from doc, the present content. A nil doc means that
	// the file does not exist. In the Real mode Seed only trusts workdir. If no
	// key differs, the file is neither created nor changed. Seed may be called
	// several times for one change. It does not change doc. Its error wraps
	// ErrMalformed if the agent would not have written doc.
	Seed func(path string, doc []byte, workdir string, mode Mode) (out []byte, keys []string, err error)

	// Lock is the suffix of the directory with which the agent locks a
	// configuration file: ".lock" for an agent that uses the npm package
	// proper-lockfile. The agent considers a lock stale after ten seconds. Empty
	// means that the agent does not lock.
	Lock string

	// Settings are the files of the home in which the agent looks for settings,
	// in decreasing precedence. They are relative to the home.
	Settings []string

	// Project returns the settings files of a working directory, and Managed
	// those of the machine's administrator, as absolute paths, in decreasing
	// precedence. Nil means none.
	Project func(workdir string) []string
	Managed func() []string

	// Scan lists the settings in doc that may affect the choice of the
	// credential. Doc is the content of the settings file at path and is never
	// nil. A key of the map is the text that a person looks for in the file, such
	// as "env.CODEX_HOME". If Credentials lists the key as a Setting, the value
	// does not count. Else the value is a name, such as "CODEX_HOME", and the
	// setting means what an environment variable of that name means. The map may
	// hold names without a meaning.
	Scan func(path string, doc []byte) (map[string]string, error)

	// The patterns tell what a variable means that Credentials does not list. A
	// name is converted to upper case first. The first pattern that matches
	// counts. A nil pattern matches no name.
	Harmless *regexp.Regexp // nothing, even if a later pattern matches
	Place    *regexp.Regexp // another home or configuration directory
	Network  *regexp.Regexp // another way to the same service, such as a proxy
	Provider *regexp.Regexp // another service with its own credentials
	Secret   *regexp.Regexp // a credential that counts only with another variable
	Service  *regexp.Regexp // another address or other headers of a request

	// HostSets are variables that the host may set although Provider matches
	// them.
	HostSets []string
}

// A Credential is one place where an agent looks for a credential. Exactly one of
// the first five fields is set.
type Credential struct {
	// Variable is an environment variable. A setting that Scan maps to this name
	// overrides the variable.
	Variable string

	// Setting is a key in a settings file, as Scan returns it.
	Setting string

	// Login is a file that the agent refreshes and writes back, in Layout.Dir or
	// in the home itself. PrepareHome moves it aside, removes it or links it.
	Login string

	// File is another file or directory with a credential, in the home or
	// absolute. PrepareHome refuses an isolated home that holds it. Audit does
	// not mention an absolute path that does not exist.
	File string

	// Keychain is a store outside the home that can't be read without asking a
	// person. Audit reports it as Unknown.
	Keychain string

	// Why is an optional explanation for people. Source.Why shows it.
	Why string
}

// layout returns the Layout of h, or claude's.
func (h Home) layout() *Layout {
	if h.Layout == nil {
		return defaultLayout
	}
	return h.Layout
}

// check refuses a Layout that would overlook a credential.
func (l *Layout) check() error {
	switch {
	case l.Token == "" || l.tokenRank() < 0:
		return fmt.Errorf("layout %q: Token is %q; set Token, and list it in Credentials", l.Name, l.Token)
	case l.Scan == nil && (l.Settings != nil || l.Project != nil || l.Managed != nil):
		return fmt.Errorf("layout %q: Scan is nil; set Scan, or set no Settings, Project and Managed", l.Name)
	case l.Seed == nil && l.Config != nil:
		return fmt.Errorf("layout %q: Seed is nil; set Seed, or set no Config", l.Name)
	}
	return nil
}

// tokenRank returns the token's place in Credentials. A lower rank is stronger.
func (l *Layout) tokenRank() int {
	return slices.IndexFunc(l.Credentials, func(c Credential) bool { return c.Variable == l.Token })
}

// path returns where the agent finds a file of the home. Dir is the value of
// DirVariable.
func (l *Layout) path(home, dir, name string) string {
	if dir == "" {
		return filepath.Join(home, name)
	}
	if rest, ok := strings.CutPrefix(name, l.Dir+"/"); ok {
		name = rest
	}
	return filepath.Join(dir, name)
}

// isLogin tells whether path is a login file in the home.
func (l *Layout) isLogin(home, path string) bool {
	return slices.ContainsFunc(l.Credentials, func(c Credential) bool {
		return c.Login != "" && filepath.Join(home, c.Login) == path
	})
}

// An effect tells how a variable or a setting affects the credential.
type effect uint

const (
	harmless effect = iota
	credential
	otherSecret // a credential that counts only with another variable
	provider
	service
	place
	network
)

// String returns the effect in the words of an error.
func (e effect) String() string {
	switch e {
	case harmless:
		return "it does not affect the choice"
	case provider:
		return "it changes which credential and service are used"
	case service:
		return "the credential goes where it says"
	case place:
		return "it moves the agent's configuration, and the credentials in it"
	case network:
		return "the credential goes through it"
	}
	return "it is a credential"
}

// A meaning is an effect and, for a credential, the rank in Credentials.
type meaning struct {
	effect
	rank int
}

// variable tells what an environment variable means. The case of name does not
// matter, because some agents ignore it.
func (l *Layout) variable(name string) meaning {
	name = strings.ToUpper(name)
	for rank, c := range l.Credentials {
		if c.Variable != "" && strings.ToUpper(c.Variable) == name {
			return meaning{credential, rank}
		}
	}
	for _, p := range []struct {
		pattern *regexp.Regexp
		effect  effect
	}{
		{l.Harmless, harmless}, {l.Place, place}, {l.Network, network},
		{l.Provider, provider}, {l.Secret, otherSecret}, {l.Service, service},
	} {
		if p.pattern != nil && p.pattern.MatchString(name) {
			return meaning{effect: p.effect}
		}
	}
	return meaning{}
}

// setting tells what a key and a value of Scan's map mean.
func (l *Layout) setting(key, name string) meaning {
	for rank, c := range l.Credentials {
		if c.Setting != "" && c.Setting == key {
			return meaning{credential, rank}
		}
	}
	return l.variable(name)
}

// why explains a meaning.
func (l *Layout) why(m meaning) string {
	if m.effect == credential && l.Credentials[m.rank].Why != "" {
		return l.Credentials[m.rank].Why
	}
	return m.effect.String()
}
