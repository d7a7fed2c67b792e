package tuiauth

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// A Mode tells which login the agent uses in a home.
type Mode int

const (
	// Real is the operator's own home with the operator's own login.
	Real Mode = iota

	// Isolated is a home that holds no login. The token in the environment is
	// the only credential.
	Isolated

	// Linked is a home of its own whose login file is a symbolic link to the
	// real home's login file. Linked is a legacy mode with the fault that
	// Isolated cures. The agent refreshes the operator's login through the link.
	// When a turn is ended during the refresh, the single-use refresh token can
	// be lost for every program that shares the login. Use a token instead.
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

// Why explains in one sentence the mode of h and its consequence. The sentence is
// fit for a log: it holds paths and no secret.
func (h Home) Why() string {
	switch {
	case h.Mode == Isolated:
		return fmt.Sprintf("isolated home %q: the token in the environment is the only credential, and nothing is refreshed", h.Dir)
	case h.Mode == Linked:
		return fmt.Sprintf("linked home %q: no token was given, so the login of %q is used through a link, and a turn that is ended during a refresh can lose that login", h.Dir, h.RealHome)
	case h.Mode == Real && h.Dir != "":
		return fmt.Sprintf("real home %q: the agent uses the operator's own files, and without a token the operator's login", h.Dir)
	}
	return "no home: get one from ResolveHome"
}

// HomeConfig is the input of [ResolveHome]. Paths are absolute.
type HomeConfig struct {
	// RealHome is the operator's home directory. It may be empty (HOME is not
	// set) only if both Configured and EnvToken are set.
	RealHome string

	// Configured is the home that the operator chose for the agent. Empty means
	// that the operator chose none.
	Configured string

	// EnvToken says that the agent will get a token in its environment.
	EnvToken bool

	// Layout describes the agent. Nil means claude.
	Layout *Layout
}

// A Home is a directory that the agent sees as HOME. The directory need not exist
// before PrepareHome. The zero Home is invalid; ResolveHome returns a valid one.
type Home struct {
	Dir      string // absolute
	RealHome string // absolute; empty if it is not known
	Mode     Mode
	Layout   *Layout // describes the agent; nil means claude
}

// ResolveHome chooses the home. It does no I/O.
//
//   - A configured home is used. The mode is Isolated with a token and Linked
//     without one. If the configured home is the real home, the mode is Real,
//     also with a token: an operator who names the real home wants its files.
//   - Without a configured home and with a token, the home is .tuiturn/home in
//     the real home, and the mode is Isolated.
//   - Without both, the home is the real home, and the mode is Real.
//
// ResolveHome compares paths as text. PrepareHome later refuses a home that is the
// real home under another name.
func ResolveHome(c HomeConfig) (Home, error) {
	if c.RealHome == "" && (c.Configured == "" || !c.EnvToken) {
		return Home{}, errors.New("resolve home: the real home directory is empty; set RealHome, usually from HOME, or set Configured and provide a token")
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
		return "", fmt.Errorf("resolve home: the %s %q holds a NUL byte; give a path without one", what, path)
	case !filepath.IsAbs(path):
		return "", fmt.Errorf("resolve home: the %s %q is not absolute; give the full path", what, path)
	}
	return filepath.Clean(path), nil
}
