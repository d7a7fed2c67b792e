package tuiauth

import (
	"errors"
	"slices"
	"strings"

	"github.com/tuiturn/tuiturn/internal/secret"
)

// inherited lists, in the order of the result, what passes from the host's
// environment. Everything else stays behind, and with it every variable of an
// agent that the host itself may run in (CLAUDECODE, CLAUDE_CONFIG_DIR,
// CLAUDE_CODE_*), of a provider (ANTHROPIC_*, AWS_*, GOOGLE_*), of tmux, and
// those that load code into a program (NODE_OPTIONS, LD_PRELOAD, BASH_ENV).
//
// Left out on purpose: TERM and COLORTERM, which describe the host's terminal,
// while the agent's own terminal sets its own; XDG_*, which would lead programs
// out of the home; SHELL, which for a service is often /usr/sbin/nologin, and
// without which the agent looks for zsh and bash itself (2.1.104);
// SSH_AUTH_SOCK and the DBus address, which are doors to credentials.
var inherited = []string{
	// Programs that the agent runs.
	"PATH",

	// Who runs it. The agent's keychain entry on macOS is found by USER.
	"USER", "LOGNAME",

	// Language, encoding and clock. LC_ names are listed one by one: sshd
	// often accepts any LC_* from a client, so others carry other things.
	"LANG", "LANGUAGE", "LC_ALL", "LC_ADDRESS", "LC_COLLATE", "LC_CTYPE",
	"LC_IDENTIFICATION", "LC_MEASUREMENT", "LC_MESSAGES", "LC_MONETARY",
	"LC_NAME", "LC_NUMERIC", "LC_PAPER", "LC_TELEPHONE", "LC_TIME", "TZ",

	// Where temporary files may be written; macOS has no usable default.
	"TMPDIR",

	// The way to the network, in both spellings: programs differ in which
	// they read.
	"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy",
	"ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy",

	// Certificates of a network that inspects TLS, for the agent and for what
	// it runs.
	"SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS",
	"CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO",
}

// Environ builds the agent's whole environment: the locale, PATH, user, time
// zone, temporary directory, proxy and certificate variables of base (of a name
// that is there twice the last counts, as in os/exec), HOME, the token if it is
// not empty, and what an unattended start needs: it does not update itself, fetch
// a marketplace or report home. PATH and LANG have defaults. No
// name is there twice, and the order depends on nothing but the names.
//
// The token stands in CLAUDE_CODE_OAUTH_TOKEN and nowhere else: a variable of
// base whose value contains it is dropped, whatever its name, and so is one whose
// value is that of a variable in base that by its name holds a secret
// (ANTHROPIC_API_KEY, DB_PASSWORD), of 8 bytes or more: below that it may as well
// be a switch. Give a token that CheckToken accepts. Proxy variables pass as they
// are, and with them a password that stands in a proxy's URL: the agent can't
// reach its service without it.
//
// TERM is the terminal's to set. To give the agent further variables, append
// them to the result.
func Environ(base []string, h Home, token Secret) []string {
	values := make(map[string]string)
	secrets := make(map[string]bool)
	for _, kv := range base {
		name, value, ok := strings.Cut(kv, "=")
		if !ok {
			continue
		}
		values[name] = value
		if s := secret.Named(kv); s != "" && !slices.Contains(inherited, name) {
			secrets[s] = true
		}
	}
	for name, value := range values {
		// A NUL would make the start fail.
		if strings.ContainsRune(value, 0) || token != "" && strings.Contains(value, token.Reveal()) || secrets[value] {
			delete(values, name)
		}
	}
	if values["PATH"] == "" {
		values["PATH"] = "/usr/local/bin:/usr/bin:/bin"
	}
	if values["LANG"] == "" {
		values["LANG"] = "C.UTF-8"
	}
	l := h.layout()
	env := make([]string, 0, len(values)+len(l.Unattended)+2)
	for _, name := range inherited {
		if value, ok := values[name]; ok {
			env = append(env, name+"="+value)
		}
	}
	env = append(env, "HOME="+h.Dir)
	if token != "" {
		env = append(env, l.Token+"="+token.Reveal())
	}
	return append(env, l.Unattended...)
}

// CheckToken reports why a token can't be one: it is empty, or holds anything
// but visible ASCII, such as the newline of the file that it was read from. The
// error does not hold the token.
func CheckToken(token Secret) error {
	if token == "" {
		return errors.New("check token: the token is empty; provide one, or run without a token in a home that is not isolated")
	}
	for i := range len(token) {
		if c := token[i]; c <= ' ' || c > '~' {
			return errors.New("check token: the token holds a blank, a line break or another byte that no token has; copy the token again without them")
		}
	}
	return nil
}
