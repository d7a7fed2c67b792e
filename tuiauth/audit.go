package tuiauth

import (
	"errors"
	"strconv"
)

// ErrCredential is wrapped by errors that say that the agent might use another
// credential than the intended one, or might send it elsewhere. The error names what
// to remove.
var ErrCredential = errors.New("the intended credential can't be relied on")

// Presence tells whether a credential or a setting exists.
type Presence int

const (
	Absent Presence = iota
	Present
	Unknown // it can't be read, or macOS would ask a person
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

// MarshalText returns what String returns, for encoders.
func (p Presence) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// A Source is a place where the agent looks for a credential, or for the address to
// send one to. A Source holds names and paths, never a value.
type Source struct {
	Name    string   `json:"name"` // "CLAUDE_CODE_OAUTH_TOKEN in the environment"
	Present Presence `json:"present"`
	Wins    bool     `json:"wins"` // the credential that the agent will use
	Why     string   `json:"why"`
	Fix     string   `json:"fix,omitempty"` // what to do; empty if nothing is wrong
}

// Audit tells which credential the agent would use, and why, if it were started in h
// and workdir with environ, its complete environment. It returns a Source for each
// place where the agent looks for a credential, in decreasing precedence. [Layout]
// holds the rules. For claude they were seen on the interactive 2.1.104 to 2.1.330.
//
// If environ holds a token, and always in the Isolated mode, the token is the
// intended credential. Then it is an error if
//
//   - another credential takes precedence over the token, or
//   - a setting of the working directory or of an isolated home would send the token
//     to another service.
//
// The error wraps [ErrCredential] and comes with the Sources. It repeats the Fix of
// every Source that has one, which says what to do. With any other error there are no
// Sources. In a home that is not isolated, and in the administrator's settings,
// another service is the operator's choice and no error.
//
// Without a token the agent's own rules decide. A setting of the working directory
// is then an error if it replaces the operator's login or sends the login elsewhere,
// because the agent does not ask anybody.
//
// An empty workdir means that the agent does not read the working directory's
// settings.
//
// A variable in environ that is no credential is the host's choice. So
// ANTHROPIC_BASE_URL is only reported there, but refused in a settings file. If HOME
// or [Layout.DirVariable] name another place, Audit looks in that place.
//
// Audit reads some small files and changes nothing. It opens no login file and does
// not ask a keychain. It does not judge the commands in the working directory's
// settings (hooks, servers), which inherit the environment: a host that starts an
// agent in a directory trusts that directory.
func Audit(h Home, workdir string, environ []string) ([]Source, error) {
	a := auditor{Layout: h.layout()}
	return a.audit(h, workdir, environ)
}
