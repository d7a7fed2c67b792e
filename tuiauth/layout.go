package tuiauth

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A Layout describes the files and variables of one agent: what this package has
// to know to prepare a home for the agent and to tell which credential the agent
// will use. A nil *Layout means claude. A Layout is only read, so several
// goroutines may share it.
//
// Files are relative to the home unless a field says otherwise.
type Layout struct {
	// Name is the agent's name. Errors about the Layout show it.
	Name string

	// Token is the environment variable that carries the token. Credentials
	// lists it too.
	Token string

	// Unattended are entries "NAME=VALUE" that Environ adds, so that the agent
	// starts without a person. They hold no secret.
	Unattended []string

	// Dir is the agent's own directory (".codex"). It is made with the home.
	// Empty means that the agent keeps its files in the home itself.
	Dir string

	// DirVariable is the environment variable that names another directory to
	// be used instead of Dir. Audit then looks for Settings and logins in that
	// directory, also for those that otherwise are outside Dir. Empty means that
	// there is no such variable.
	DirVariable string

	// Credentials lists where the agent looks for a credential, the strongest
	// first.
	Credentials []Credential

	// Config returns the configuration files that Seed changes, as absolute
	// paths. Nil means that there are none.
	Config func(home string) []string

	// Seed returns what the configuration file at path must hold so that the
	// agent starts in workdir without a question, and the names of the keys that
	// differ from doc. Doc is the file's content, or nil if there is no file. In
	// the Real mode Seed only trusts workdir. A file without a key that differs
	// is neither made nor changed. Seed may be called several times. Its error
	// wraps [ErrMalformed] if doc is not what the agent would write.
	Seed func(path string, doc []byte, workdir string, mode Mode) (out []byte, keys []string, err error)

	// Lock is what the agent appends to the name of a configuration file to get
	// the name of a directory that locks the file, in the manner of the npm
	// package proper-lockfile. Empty means that the agent locks nothing.
	Lock string

	// Settings are the files of the home in which the agent looks for settings,
	// the strongest first. Project and Managed return the files of a working
	// directory and of the machine's administrator in the same order, as
	// absolute paths. Nil means that there are none.
	Settings []string
	Project  func(workdir string) []string
	Managed  func() []string

	// Scan lists the settings in doc, the content of the settings file at path,
	// that may have a part in the choice of the credential. A key of the map is
	// what a person looks for in the file ("env.CODEX_HOME"). If it is a Setting
	// of Credentials, then that is what it means. Else the value is a name
	// ("CODEX_HOME") that means what an environment variable of that name would
	// mean. Names that mean nothing may be in the map. Doc is never nil.
	Scan func(path string, doc []byte) (map[string]string, error)

	// The patterns tell what variables do that are not listed in Credentials. A
	// name is matched in upper case, and the first pattern that matches it
	// counts. Nil matches nothing.
	Harmless *regexp.Regexp // nothing, though a later pattern matches
	Place    *regexp.Regexp // they move the home or the configuration
	Network  *regexp.Regexp // they choose the way to the same service, as a proxy
	Provider *regexp.Regexp // they choose another service with credentials of its own
	Secret   *regexp.Regexp // they are credentials, which need another variable to count
	Service  *regexp.Regexp // they choose the address or the headers of a request

	// HostSets are variables that the host may give to the agent although
	// Provider matches them.
	HostSets []string
}

// A Credential is one place where an agent looks for a credential. One of the
// fields is set, and Why may be set with each.
type Credential struct {
	Variable string // an environment variable, or a setting that replaces one
	Setting  string // a key of a settings file, as Layout.Scan names it
	Keychain string // a store that can't be looked at without asking a person

	// Login is a file that the agent refreshes and writes back. PrepareHome
	// takes it away or links it. It is in Layout.Dir or in the home itself.
	Login string

	// File is another file or directory, in the home or absolute. PrepareHome
	// refuses one in an isolated home. Audit leaves out an absolute one that is
	// not there.
	File string

	// Why is what a person should know about it.
	Why string
}

// layout is the Layout that counts.
func (h Home) layout() *Layout {
	if h.Layout == nil {
		return defaultLayout
	}
	return h.Layout
}

// check refuses a Layout with which nothing would be found.
func (l *Layout) check() error {
	switch {
	case l.Token == "" || l.tokenRank() < 0:
		return fmt.Errorf("layout %q: Token is %q; name the variable there and in Credentials", l.Name, l.Token)
	case l.Scan == nil && (l.Settings != nil || l.Project != nil || l.Managed != nil):
		return fmt.Errorf("layout %q: Scan is nil; set it, or name no settings files", l.Name)
	case l.Seed == nil && l.Config != nil:
		return fmt.Errorf("layout %q: Seed is nil; set it, or set no Config", l.Name)
	}
	return nil
}

// tokenRank is the token's place in Credentials. What has a lower one is stronger.
func (l *Layout) tokenRank() int {
	return slices.IndexFunc(l.Credentials, func(c Credential) bool { return c.Variable == l.Token })
}

// path is where the agent finds a file of the home. Dir is the value of
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

// An effect is what a variable or a setting does to the credential that the agent
// uses.
type effect uint

const (
	harmless effect = iota
	credential
	otherSecret // a credential that only another variable would switch on
	provider
	service
	place
	network
)

// String says it in the words of an error.
func (e effect) String() string {
	switch e {
	case harmless:
		return "it has no part in the choice"
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

// A meaning is an effect and, for a credential, its place in Credentials.
type meaning struct {
	effect
	rank int
}

// variable tells what an environment variable means. Case does not matter: some
// agents compare names without it.
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

// setting tells what a setting means, from what Scan says about it.
func (l *Layout) setting(key, name string) meaning {
	for rank, c := range l.Credentials {
		if c.Setting != "" && c.Setting == key {
			return meaning{credential, rank}
		}
	}
	return l.variable(name)
}

// why says what a meaning is about.
func (l *Layout) why(m meaning) string {
	if m.effect == credential && l.Credentials[m.rank].Why != "" {
		return l.Credentials[m.rank].Why
	}
	return m.effect.String()
}
