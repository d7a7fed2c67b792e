package tuiauth

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// An auditor collects sources.
type auditor struct {
	*Layout
	sources []ranked
	token   bool // a token is the intended credential
}

type ranked struct {
	Source
	meaning
}

// add adds a source. Its fix counts only if the token is the intended credential.
func (a *auditor) add(m meaning, name string, p Presence, why, fix string) {
	if !a.token {
		fix = ""
	}
	a.refuse(m, name, p, why, fix)
}

// refuse adds a source whose fix counts with or without a token.
func (a *auditor) refuse(m meaning, name string, p Presence, why, fix string) {
	a.sources = append(a.sources, ranked{Source{Name: name, Present: p, Why: why, Fix: fix}, m})
}

func (a *auditor) audit(h Home, workdir string, environ []string) ([]Source, error) {
	if err := a.check(); err != nil {
		return nil, fmt.Errorf("audit credentials: %w", err)
	}
	env := make(map[string]string)
	for _, kv := range environ {
		if name, value, ok := strings.Cut(kv, "="); ok {
			env[name] = value
		}
	}
	a.token = h.Mode == Isolated || env[a.Token] != ""
	home, dir := env["HOME"], ""
	if home == "" {
		home = h.Dir
	}
	if a.DirVariable != "" {
		dir = env[a.DirVariable]
	}
	var own []string
	for _, name := range a.Settings {
		own = append(own, a.path(home, dir, name))
	}

	// A setting replaces the variable of the same name. The strongest come first.
	if a.Managed != nil {
		a.files(administrator, a.Managed())
	}
	if workdir != "" {
		workdir, err := physicalDir(workdir)
		if err != nil {
			return nil, fmt.Errorf("audit credentials: %w", err)
		}
		if a.Project != nil {
			// If workdir is the home, a file may belong to both. Then it is
			// the home's.
			a.files(projectOwner, slices.DeleteFunc(a.Project(workdir), func(path string) bool {
				return slices.ContainsFunc(own, func(name string) bool { return sameFile(path, name) })
			}))
		}
	}
	if h.Mode == Isolated {
		a.files(isolatedHome, own)
	} else {
		a.files(operator, own)
	}
	a.environ(env, home != h.Dir)
	a.stored(home, dir)

	slices.SortStableFunc(a.sources, func(x, y ranked) int {
		// The type is unsigned, so harmless, which is 0, comes last.
		return cmp.Or(cmp.Compare(x.effect-1, y.effect-1), cmp.Compare(x.rank, y.rank))
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

// An owner tells who wrote a settings file.
type owner int

const (
	administrator owner = iota
	operator
	isolatedHome
	projectOwner
)

func (o owner) String() string {
	return [...]string{"the administrator", "the home", "the home", "the working directory"}[o]
}

// trusted tells whether o may choose the service. No owner may replace the token.
func (o owner) trusted() bool { return o == administrator || o == operator }

// files adds the settings in some files.
func (a *auditor) files(o owner, paths []string) {
	for _, path := range paths {
		found, there, err := a.scanFile(path)
		if err != nil {
			a.add(meaning{}, "settings in "+path, Unknown, err.Error(), "make "+path+" readable and valid, or remove it")
			continue
		}
		if !there {
			continue
		}
		quiet := true
		for _, f := range found {
			if f.effect == network && o != projectOwner {
				continue // it may be in the environment too
			}
			quiet = false
			fix := "remove " + f.String()
			if a.weakSetting(f.meaning) || o.trusted() && f.effect != credential && f.effect != provider {
				fix = "" // it is weaker than the token, or the owner's choice
			}
			add := a.add
			if o == projectOwner {
				add = a.refuse
			}
			add(f.meaning, f.String(), Present, "a setting of "+o.String()+": "+a.why(f.meaning), fix)
		}
		if quiet {
			a.add(meaning{}, "settings in "+path, Absent, "no setting in it affects the choice", "")
		}
	}
}

// weakSetting tells whether m is a setting, not a variable, that is weaker than the
// token.
func (a *auditor) weakSetting(m meaning) bool {
	return m.effect == credential && m.rank > a.tokenRank() && a.Credentials[m.rank].Setting != ""
}

// environ adds the variables in the agent's environment.
func (a *auditor) environ(env map[string]string, otherHome bool) {
	for rank, c := range a.Credentials {
		if c.Variable == "" {
			continue
		}
		p, why, fix := Absent, "not set", ""
		switch token := c.Variable == a.Token; {
		case env[c.Variable] == "" && token:
			fix = "provide a token: the home is isolated, and " + a.Token + " is not set"
		case env[c.Variable] == "":
		case token:
			p, why = Present, "the token that the host provides"
		default:
			p, why = Present, "the host added it"
			if rank < a.tokenRank() {
				fix = "do not add " + c.Variable + " to the agent's environment"
			}
		}
		a.add(meaning{credential, rank}, c.Variable+" in the environment", p, why, fix)
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		m, fix := a.variable(name), ""
		switch {
		case m.effect <= credential || m.effect == network || env[name] == "":
			continue
		case name == "HOME" && !otherHome:
			continue
		case m.effect == provider && !slices.Contains(a.HostSets, name):
			fix = "do not add " + name + " to the agent's environment"
		}
		a.add(m, name+" in the environment", Present, "the host added it: "+a.why(m), fix)
	}
}

// stored adds the credentials that earlier logins may have left.
func (a *auditor) stored(home, dir string) {
	for rank, c := range a.Credentials {
		m := meaning{credential, rank}
		switch {
		case c.Login != "":
			path := a.path(home, dir, c.Login)
			p, err := presence(path)
			a.add(m, "login in "+path, p, cmp.Or(text(err), c.Why, "the agent refreshes it and writes it back"), "")
		case c.Keychain != "":
			a.add(m, "login in "+c.Keychain, Unknown, a.why(m), "")
		case filepath.IsAbs(c.File):
			p, err := presence(c.File)
			if p == Absent {
				continue // as on every machine but the vendor's
			}
			fix := ""
			if rank < a.tokenRank() {
				fix = "remove " + c.File
			}
			a.add(m, c.File, p, cmp.Or(text(err), a.why(m)), fix)
		case c.File != "":
			path := filepath.Join(home, c.File)
			p, err := presence(path)
			fix := ""
			if p != Absent && rank < a.tokenRank() {
				fix = "remove " + path
			}
			a.add(m, "login in "+path, p, cmp.Or(text(err), a.why(m)), fix)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// presence tells whether there is a file of any kind.
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

// sameFile tells whether two paths lead to the same file.
func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// decide marks the credential that wins, and says why the others do not win.
func (a *auditor) decide() {
	winner := -1
	for i, s := range a.sources {
		if s.Present == Present && s.effect == credential {
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
		case winner >= 0 && s.Present != Absent && s.effect == credential:
			s.Why += "; " + a.sources[winner].Name + " comes before it"
		}
	}
}
