package tuiauth

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// A Mode is how a home relates to the operator's own login.
type Mode int

const (
	// Real is the operator's own home with the operator's own login.
	Real Mode = iota

	// Isolated is a home that holds no login: the token in the environment is
	// the only credential.
	Isolated

	// Linked is a home of its own whose .credentials.json is a symbolic link
	// to the real home's. It is a legacy mode with the fault that Isolated
	// cures: the agent refreshes the operator's login through the link, and a
	// turn that is ended meanwhile can lose the single-use refresh token for
	// every program that shares it. Use a token instead.
	Linked
)

// String returns "real", "isolated" or "linked".
func (m Mode) String() string {
	switch m {
	case Real:
		return "real"
	case Isolated:
		return "isolated"
	case Linked:
		return "linked"
	}
	return "Mode(" + strconv.Itoa(int(m)) + ")"
}

// Why says in one sentence which mode h is in and what follows from it, fit for
// a log. It holds paths, no secret.
func (h Home) Why() string {
	switch {
	case h.Mode == Isolated:
		return fmt.Sprintf("isolated home %q: the token in the environment is the only credential, and nothing is refreshed", h.Dir)
	case h.Mode == Linked:
		return fmt.Sprintf("linked home %q: no token was given, so the login of %q is used through a link, and a turn that is ended while it is refreshed can lose it", h.Dir, h.RealHome)
	case h.Mode == Real && h.Dir != "":
		return fmt.Sprintf("real home %q: the agent uses the operator's own files, and their login where it gets no token", h.Dir)
	}
	return "no home: get one from ResolveHome"
}

// HomeConfig is what decides the home. Paths are absolute.
type HomeConfig struct {
	// RealHome is the operator's home directory. It may be empty (HOME unset)
	// only when Configured and EnvToken are set: everything else needs it.
	RealHome string

	// Configured is the home that the operator chose for the agent; empty
	// means none was chosen.
	Configured string

	// EnvToken says that the agent will get a token in its environment.
	EnvToken bool

	// Layout describes the agent. Nil means claude.
	Layout *Layout
}

// A Home is a directory that the agent sees as HOME. It need not exist before
// PrepareHome.
type Home struct {
	Dir      string // absolute
	RealHome string // absolute; empty if it is not known
	Mode     Mode
	Layout   *Layout // describes the agent; nil means claude
}

// ResolveHome chooses the home. It does no I/O.
//
//   - A configured home wins: Isolated with a token, Linked without one. If it
//     is the real home the mode is Real, with a token too: whoever names the
//     real home asks for what is in it.
//   - Else, with a token, it is .tuiturn/home in the real home, Isolated.
//   - Else it is the real home, Real.
//
// Paths are compared as text; PrepareHome refuses a home that turns out to be
// the real one under another name.
func ResolveHome(c HomeConfig) (Home, error) {
	if c.RealHome == "" && (c.Configured == "" || !c.EnvToken) {
		return Home{}, errors.New("resolve home: the real home directory is empty; set it (HOME is usually where it comes from), or configure a home and provide a token")
	}
	real, err := cleanPath("real home", c.RealHome)
	if err != nil {
		return Home{}, err
	}
	configured, err := cleanPath("configured home", c.Configured)
	if err != nil {
		return Home{}, err
	}
	h := Home{Dir: configured, RealHome: real, Layout: c.Layout}
	switch {
	case configured == "" && c.EnvToken:
		h.Dir, h.Mode = filepath.Join(real, ".tuiturn", "home"), Isolated
	case configured == "", configured == real:
		h.Dir, h.Mode = real, Real
	case c.EnvToken:
		h.Mode = Isolated
	default:
		h.Mode = Linked
	}
	return h, nil
}

// cleanPath cleans an absolute path; an empty one stays empty.
func cleanPath(what, path string) (string, error) {
	switch {
	case path == "":
		return "", nil
	case strings.ContainsRune(path, 0):
		return "", fmt.Errorf("resolve home: the %s %q holds a NUL byte; give a path without it", what, path)
	case !filepath.IsAbs(path):
		return "", fmt.Errorf("resolve home: the %s %q is not absolute; give the full path", what, path)
	}
	return filepath.Clean(path), nil
}
