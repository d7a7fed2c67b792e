package tuiauth

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// ErrCredential is wrapped by an error that says that the agent might use another
// credential than it is meant to, or send it elsewhere. The error names what to
// remove.
var ErrCredential = errors.New("the intended credential can't be relied on")

// Presence is whether something is there.
type Presence int

const (
	Absent Presence = iota
	Present
	Unknown // can't be looked at without asking a person, or can't be read
)

// String returns "absent", "present" or "unknown".
func (p Presence) String() string {
	switch p {
	case Absent:
		return "absent"
	case Present:
		return "present"
	case Unknown:
		return "unknown"
	}
	return "Presence(" + strconv.Itoa(int(p)) + ")"
}

// MarshalText is String for encoders.
func (p Presence) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// A Source is a place where the agent looks for a credential, or is told where
// to send it. It holds names and paths, never a value.
type Source struct {
	Name    string   `json:"name"` // "CLAUDE_CODE_OAUTH_TOKEN in the environment"
	Present Presence `json:"present"`
	Wins    bool     `json:"wins"` // the credential that the agent will use
	Why     string   `json:"why"`
	Fix     string   `json:"fix,omitempty"` // what to do about it; empty if all is well
}

// Audit tells which credential the agent would use if it were started in h and
// workdir with environ, its complete environment, and why. There is one Source
// for each place where one could come from, the strongest first; the rules are
// those of an interactive agent, 2.1.104 to 2.1.330.
//
// With a token in environ, and always in the Isolated mode, that token is the
// intended credential. The error, which wraps [ErrCredential], says what to
// remove when another comes before it, or when the settings of the working
// directory or of an isolated home would send it to another service; it repeats
// the Fix of every Source that has one. In a home that is not isolated, and in
// the administrator's settings, such an address is the operator's wish. Without
// a token the agent's own rules decide, but the settings of the working directory
// are refused all the same if they replace the operator's login or send it
// elsewhere: the agent is not going to ask anybody.
//
// An empty workdir tells that the agent is started so that it does not read the
// working directory's settings.
//
// A variable in environ that is no credential counts as the host's wish:
// ANTHROPIC_BASE_URL is reported there and refused in a settings file, and where
// HOME or CLAUDE_CONFIG_DIR name another place, that is the one to be looked at.
//
// Audit reads some small files and changes nothing. It opens no
// .credentials.json, and does not ask the keychain of macOS. What commands in
// the working directory's settings (hooks, servers) do with an environment that
// they inherit is beyond it: to start an agent in a directory is to trust it.
func Audit(h Home, workdir string, environ []string) ([]Source, error) {
	a := auditor{goos: runtime.GOOS, managed: managedFiles(runtime.GOOS), remote: "/home/claude/.claude/remote"}
	return a.audit(h, workdir, environ)
}

// An auditor holds what depends on the machine.
type auditor struct {
	goos    string
	managed []string // the administrator's settings
	remote  string   // where the agent looks for credentials, whoever runs it

	sources []ranked
	token   bool // a token is the intended credential
}

type ranked struct {
	Source
	kind kind
}

// add adds a source. Without a token what would come before one is no fault.
func (a *auditor) add(k kind, name string, p Presence, why, fix string) {
	if !a.token {
		fix = ""
	}
	a.refuse(k, name, p, why, fix)
}

// refuse adds a source whose fix counts with or without a token.
func (a *auditor) refuse(k kind, name string, p Presence, why, fix string) {
	a.sources = append(a.sources, ranked{Source{Name: name, Present: p, Why: why, Fix: fix}, k})
}

func (a *auditor) audit(h Home, workdir string, environ []string) ([]Source, error) {
	env := make(map[string]string)
	for _, kv := range environ {
		if name, value, ok := strings.Cut(kv, "="); ok {
			env[name] = value
		}
	}
	a.token = h.Mode == Isolated || env[tokenVariable] != ""
	home, configDir := env["HOME"], env["CLAUDE_CONFIG_DIR"]
	if home == "" {
		home = h.Dir
	}

	// A setting replaces the variable of that name. The strongest come first.
	a.files("the administrator", a.managed, true)
	if workdir != "" {
		workdir, err := physicalDir(workdir)
		if err != nil {
			return nil, fmt.Errorf("audit credentials: %w", err)
		}
		files := projectFiles(workdir)
		if sameDir(workdir, home) {
			files = slices.Delete(files, 1, 2) // which is the home's
		}
		a.files("the working directory", files, false)
	}
	a.files("the home", homeFiles(home, configDir), h.Mode != Isolated)
	a.environ(env, home != h.Dir)
	a.logins(home, configDir)

	slices.SortStableFunc(a.sources, func(x, y ranked) int {
		return cmp.Compare(x.kind-1, y.kind-1) // unsigned: harmless, which is 0, comes last
	})
	a.decide()
	var out []Source
	var fixes []string
	for _, s := range a.sources {
		out = append(out, s.Source)
		if s.Fix != "" && !slices.Contains(fixes, s.Fix) {
			fixes = append(fixes, s.Fix)
		}
	}
	if len(fixes) > 0 {
		return out, fmt.Errorf("audit credentials: %w: %s", ErrCredential, strings.Join(fixes, "; "))
	}
	return out, nil
}

// files adds what settings say. Whose they are is for people. Those of trusted
// people may say where the credential goes, but not replace it.
func (a *auditor) files(whose string, paths []string, trusted bool) {
	for _, path := range paths {
		found, there, err := scanFile(path)
		if err != nil {
			a.add(harmless, "settings in "+path, Unknown, err.Error(), "make "+path+" readable, valid JSON, or remove it")
			continue
		}
		if !there {
			continue
		}
		quiet := true
		for _, f := range found {
			if f.kind == network && whose != "the working directory" {
				continue // passes in the environment too
			}
			quiet = false
			fix := "remove " + f.String()
			if f.kind == primaryKey || trusted && f.kind >= otherSecret && f.kind != provider {
				fix = "" // it loses to the token, or is meant
			}
			add := a.add
			if whose == "the working directory" {
				add = a.refuse
			}
			add(f.kind, f.String(), Present, "a setting of "+whose+": "+f.kind.String(), fix)
		}
		if quiet {
			a.add(harmless, "settings in "+path, Absent, "nothing in it has a part in the choice", "")
		}
	}
}

// environ adds what the agent's environment says.
func (a *auditor) environ(env map[string]string, otherHome bool) {
	for _, name := range []string{"ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", "CLAUDE_CODE_API_KEY_FILE_DESCRIPTOR", tokenVariable, "CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR"} {
		k, p, why, fix := kindOfVariable(name), Absent, "not set", ""
		switch {
		case env[name] == "" && name == tokenVariable:
			fix = "provide a token: the home is isolated, and " + tokenVariable + " is not set"
		case env[name] == "":
		case name == tokenVariable:
			p, why = Present, "the token that the host provides"
		default:
			p, why = Present, "the host added it"
			if k < oauthToken {
				fix = "do not add " + name + " to the agent's environment"
			}
		}
		a.add(k, name+" in the environment", p, why, fix)
	}
	names := make([]string, 0, len(env))
	for name := range env {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		k, fix := kindOfVariable(name), ""
		switch {
		case k < otherSecret || k == network || env[name] == "":
			continue
		case name == "HOME" && !otherHome:
			continue
		case k == provider && name != "CLAUDE_CODE_ENTRYPOINT":
			fix = "do not add " + name + " to the agent's environment"
		}
		a.add(k, name+" in the environment", Present, "the host added it: "+k.String(), fix)
	}
}

// logins adds what earlier logins may have left.
func (a *auditor) logins(home, configDir string) {
	for _, f := range []struct {
		kind kind
		name string
	}{{apiKeyFD, ".api_key"}, {oauthFD, ".oauth_token"}} {
		path := filepath.Join(a.remote, f.name)
		p, err := presence(path)
		if p == Absent {
			continue // the rule on any machine but the vendor's
		}
		fix := ""
		if f.kind < oauthToken {
			fix = "remove " + path
		}
		a.add(f.kind, path, p, orElse(err, "2.1.104 to 2.1.330 read it, whoever runs them"), fix)
	}

	profile := profileDir(home)
	p, err := presence(profile)
	a.add(login, "profile in "+profile, p, orElse(err, "a login of the provider's tools, used by 2.1.158 and 2.1.330"), "")
	path := filepath.Join(configDir, ".credentials.json")
	if configDir == "" {
		path = filepath.Join(home, ".claude", ".credentials.json")
	}
	p, err = presence(path)
	a.add(login, "login in "+path, p, orElse(err, "what the agent refreshes and writes back"), "")
	if a.goos == "darwin" {
		suffix := ""
		if configDir != "" {
			suffix = ", with a hash of CLAUDE_CONFIG_DIR behind the name"
		}
		a.add(login, "login in the macOS keychain", Unknown,
			`no HOME isolates it: the agent asks for the generic passwords "Claude Code-credentials" and "Claude Code" of the account USER`+
				suffix+`; to look here could make macOS ask a person`, "")
	}
}

// presence tells whether there is a file, of any kind.
func presence(path string) (Presence, error) {
	_, err := os.Lstat(path)
	switch {
	case err == nil:
		return Present, nil
	case isMissing(err):
		return Absent, nil
	}
	return Unknown, err
}

// managedFiles are the administrator's settings, the strongest first.
func managedFiles(goos string) []string {
	dir := "/etc/claude-code"
	if goos == "darwin" {
		dir = "/Library/Application Support/ClaudeCode"
	}
	// The agent merges the fragments into the file in the order of their names.
	files, _ := filepath.Glob(filepath.Join(dir, "managed-settings.d", "*.json")) // a bad pattern is the only error
	slices.Reverse(files)
	return append(files, filepath.Join(dir, "managed-settings.json"))
}

// sameDir tells whether two names are one directory's.
func sameDir(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

func orElse(err error, s string) string {
	if err != nil {
		return err.Error()
	}
	return s
}

// decide marks the credential that wins and says why the others do not.
func (a *auditor) decide() {
	winner := -1
	for i, s := range a.sources {
		if s.Present == Present && s.kind != harmless && s.kind < otherSecret {
			winner = i
			break
		}
	}
	for i := range a.sources {
		s := &a.sources[i]
		switch {
		case i == winner:
			s.Wins = true
			s.Why += "; it comes before all others that are there"
		case winner >= 0 && s.Present != Absent && s.kind != harmless && s.kind < otherSecret:
			s.Why += "; " + a.sources[winner].Name + " comes before it"
		}
	}
}
