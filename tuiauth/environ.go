package tuiauth

import (
	"errors"
	"slices"
	"strings"

	"github.com/tuiturn/tuiturn/internal/secret"
)

// inherited lists the variables that pass from the host's environment, in the order
// of the result. All others are dropped. Among them are the variables of an agent
// that the host itself may run in (CLAUDECODE, CLAUDE_CONFIG_DIR, CLAUDE_CODE_*), of
// a provider (ANTHROPIC_*, AWS_*, GOOGLE_*) and of tmux, and variables that load code
// into a program (NODE_OPTIONS, LD_PRELOAD, BASH_ENV).
//
// These are left out on purpose:
//   - TERM and COLORTERM describe the host's terminal. The agent's own terminal sets
//     its own.
//   - XDG_* would lead programs out of the home.
//   - SHELL is often /usr/sbin/nologin for a service. Without SHELL claude looks for
//     zsh and bash itself (2.1.104).
//   - SSH_AUTH_SOCK and the DBus address give access to credentials.
var inherited = []string{
	// Programs that the agent runs.
	"PATH",

	// The user. On macOS, USER finds the agent's keychain entry.
	"USER", "LOGNAME",

	// Language, encoding and clock. LC_ names are listed one by one: sshd often
	// accepts any LC_* from a client, so other LC_ names may carry anything.
	"LANG", "LANGUAGE", "LC_ALL", "LC_ADDRESS", "LC_COLLATE", "LC_CTYPE",
	"LC_IDENTIFICATION", "LC_MEASUREMENT", "LC_MESSAGES", "LC_MONETARY",
	"LC_NAME", "LC_NUMERIC", "LC_PAPER", "LC_TELEPHONE", "LC_TIME", "TZ",

	// The directory for temporary files. macOS has no usable default.
	"TMPDIR",

	// The way to the network, in both spellings, because programs differ in
	// the spelling that they read.
	"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy",
	"ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy",

	// Certificates of a network that inspects TLS, for the agent and for the
	// programs that it runs.
	"SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS",
	"CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO",
}

// Environ builds the agent's whole environment. It consists of
//
//   - the locale, PATH, user, time zone, temporary directory, proxy and certificate
//     variables of base
//   - HOME
//   - the token, unless it is empty
//   - the variables that an unattended start needs ([Layout.Unattended]): claude
//     does not update itself, fetch a marketplace or send statistics
//
// PATH defaults to /usr/local/bin:/usr/bin:/bin and LANG to C.UTF-8. If a name is in
// base twice, the last entry counts, as in os/exec. No name is in the result twice.
// The order of the result depends only on the names.
//
// The token is in the variable [Layout.Token] and in no other. A variable of base is
// dropped, whatever its name, if its value contains the token or equals the value of
// a secret in base. A secret is a variable that is named like one (ANTHROPIC_API_KEY,
// DB_PASSWORD) and has 8 bytes or more: a shorter value may be an on/off flag. Use a
// token that [CheckToken] accepts. Proxy variables pass unchanged, including a
// password in a proxy's URL, because the agent can't reach its service without that
// password.
//
// Environ sets no TERM: the terminal does. To give the agent further variables,
// append them to the result.
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
		// A value with a NUL would make the start fail.
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

// CheckToken returns an error if token is empty or holds a byte that is not visible
// ASCII, such as the newline at the end of a file. The error does not hold the
// token.
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
