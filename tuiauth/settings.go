package tuiauth

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

// A kind is what a variable or a key in a file means for the credential that the
// agent uses. Up to login they are credentials, in the order in which the agent
// prefers them (interactive, 2.1.104 to 2.1.330).
type kind uint

const (
	harmless kind = iota

	authToken   // sent beside an API key; as Authorization it counts first
	apiKey      // used once approved; until then a dialog asks a person
	apiKeyFD    // a file descriptor or a file at a fixed place
	helper      // a command that prints a key
	oauthToken  // what the host provides
	oauthFD     // a file descriptor or a file at a fixed place
	login       // .credentials.json, the keychain
	primaryKey  // a key that a login left behind
	otherSecret // for what only an inherited variable would switch on

	provider // another service, with credentials of its own
	service  // another address, or other headers
	place    // another home or configuration
	network  // another way to the same address
)

// String says what it does, in the words of an error.
func (k kind) String() string {
	switch k {
	case harmless:
		return "it has no part in it"
	case helper:
		return "its output is used as the credential"
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

// The agent's variables come and go by the dozen, so those in its own name
// spaces are told by their words. CLAUDE_CODE_MAX_OUTPUT_TOKENS is no token.
var (
	secretWord   = regexp.MustCompile(`_(TOKEN|OAUTH|KEY|CREDS|CREDENTIALS?|SECRET|AUTH|PASSWORD|INGRESS|FILE_DESCRIPTOR)(_|$)`)
	serviceWord  = regexp.MustCompile(`_(URL|URI|HOST|SOCKET|CLIENT_CERT|CLIENT_KEY|CERT_STORE)(_|$)`)
	providerWord = regexp.MustCompile(`^CLAUDE_CODE_USE_|^CLAUDE_CODE_SKIP_.*_AUTH$|_REMOTE_SETTINGS(_|$)|^CLAUDE_CODE_(SIMPLE|REMOTE|ENTRYPOINT|PROVIDER_MANAGED_BY_HOST)$`)
	networkWord  = regexp.MustCompile(`^(CLAUDE_CODE_)?(HTTPS?|ALL|NO)_PROXY$|^NODE_EXTRA_CA_CERTS$|^SSL_CERT_(FILE|DIR)$`)
	plainWord    = regexp.MustCompile(`^ANTHROPIC_.*(MODEL|BETAS|LOG)(_|$)|^CLAUDE_CODE_(DISABLE|ENABLE)_|^CLAUDE_CODE_.*_(MS|THRESHOLD)$`)
)

// kindOfVariable tells what an environment variable means. Case does not
// matter: some versions compare names without it.
func kindOfVariable(name string) kind {
	name = strings.ToUpper(name)
	switch name {
	case "ANTHROPIC_AUTH_TOKEN":
		return authToken
	case "ANTHROPIC_API_KEY":
		return apiKey
	case "CLAUDE_CODE_API_KEY_FILE_DESCRIPTOR":
		return apiKeyFD
	case tokenVariable:
		return oauthToken
	case "CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR":
		return oauthFD
	case "AWS_BEARER_TOKEN_BEDROCK":
		return otherSecret
	case "HOME", "XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "CLAUDE_SECURESTORAGE_CONFIG_DIR", "ANTHROPIC_CONFIG_DIR",
		"CLAUDE_CODE_MANAGED_SETTINGS_PATH":
		return place
	case "NODE_TLS_REJECT_UNAUTHORIZED":
		return service // whoever is on the way can be it
	case "CLAUDE_CODE_USE_NATIVE_FILE_SEARCH", "CLAUDE_CODE_USE_POWERSHELL_TOOL":
		return harmless
	}
	switch {
	case plainWord.MatchString(name):
		return harmless
	case networkWord.MatchString(name):
		return network
	case providerWord.MatchString(name):
		return provider
	case strings.HasPrefix(name, "ANTHROPIC_"), strings.HasPrefix(name, "CLAUDE_") && serviceWord.MatchString(name):
		if secretWord.MatchString(name) {
			return otherSecret
		}
		return service
	case strings.HasPrefix(name, "CLAUDE_") && secretWord.MatchString(name):
		return otherSecret
	}
	return harmless
}

// A finding is a key in a file that has a part in the choice of the credential.
type finding struct {
	file string
	key  string
	kind kind
}

func (f finding) String() string { return f.key + " in " + f.file }

// scanSettings lists the findings in a document of the agent's. It looks at
// names, not at values: an empty token takes the place of a good one too.
func scanSettings(doc []byte) ([]finding, error) {
	doc = bytes.TrimPrefix(doc, []byte("\xef\xbb\xbf")) // as the agent does
	if len(bytes.TrimSpace(doc)) == 0 {
		return nil, nil
	}
	if err := checkDoc(doc); err != nil {
		return nil, err
	}
	pos := skipSpace(doc, 0)
	if doc[pos] != '{' {
		return nil, fmt.Errorf("%w: it is not an object", ErrMalformed)
	}
	top, err := members(doc, pos)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrMalformed, err)
	}
	var found []finding
	for _, m := range top {
		value := string(doc[m.value:m.end])
		if value == "null" || value == `""` {
			continue // to the agent as if it were not there
		}
		switch m.name {
		case "apiKeyHelper":
			found = append(found, finding{key: m.name, kind: helper})
		case "primaryApiKey":
			found = append(found, finding{key: m.name, kind: primaryKey})
		case "env":
			if value[0] != '{' {
				return nil, fmt.Errorf("%w: %q is not an object", ErrMalformed, m.name)
			}
			env, err := members(doc, m.value)
			if err != nil {
				return nil, fmt.Errorf("%w: %v", ErrMalformed, err)
			}
			for _, v := range env {
				if k := kindOfVariable(v.name); k != harmless {
					found = append(found, finding{key: edit{path: []string{"env", v.name}}.String(), kind: k})
				}
			}
		}
	}
	return found, nil
}

// scanFile lists the findings in the file at path, and tells whether there is
// one. A document that can't be read is an error: what the agent would make of
// it is not known.
func scanFile(path string) (found []finding, there bool, err error) {
	target, err := follow(path)
	if err == nil {
		err = settled(target, func(doc []byte) (err error) {
			there = doc != nil
			if found, err = scanSettings(doc); err != nil {
				return fmt.Errorf("%s: %w; mend the file or move it away", path, err)
			}
			return nil
		})
	}
	if err != nil && !isMissing(err) {
		return nil, there, err
	}
	for i := range found {
		found[i].file = path
	}
	config := strings.HasSuffix(path, ".claude.json") || strings.HasSuffix(path, ".config.json")
	return slices.DeleteFunc(found, func(f finding) bool {
		return f.kind == helper && config || f.kind == primaryKey && !config // not read there
	}), there, nil
}

// isMissing also counts what would be below a file.
func isMissing(err error) bool {
	return err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// homeFiles are the files in which the agent looks for the user's settings, the
// strongest first. ConfigDir is what CLAUDE_CONFIG_DIR says; it is mostly empty.
func homeFiles(home, configDir string) []string {
	if configDir == "" {
		configDir = filepath.Join(home, ".claude")
	} else {
		home = configDir
	}
	return []string{
		// What an administrator's service sent last, 2.1.104 to 2.1.330. It is read
		// where the agent speaks to its own service.
		filepath.Join(configDir, "remote-settings.json"),
		filepath.Join(configDir, "settings.json"),
		filepath.Join(configDir, ".config.json"),
		filepath.Join(home, ".claude.json"),
	}
}

// profileDir is where the provider's own tools keep a login, which 2.1.158 and
// 2.1.330 use where they find no other.
func profileDir(home string) string { return filepath.Join(home, ".config", "anthropic") }

// projectFiles are the same for a working directory. 2.1.330 reads the local
// settings of its git repository's root and main work tree too.
func projectFiles(workdir string) []string {
	files := []string{
		filepath.Join(workdir, ".claude", "settings.local.json"),
		filepath.Join(workdir, ".claude", "settings.json"),
	}
	for _, root := range gitRoots(workdir) {
		if root != workdir {
			files = append(files, filepath.Join(root, ".claude", "settings.local.json"))
		}
	}
	return files
}

// gitRoots are the root of the git work tree that dir lies in, and of the main
// one that it belongs to.
func gitRoots(dir string) (roots []string) {
	for {
		git := filepath.Join(dir, ".git")
		if info, err := os.Stat(git); err == nil {
			roots = append(roots, dir)
			if !info.Mode().IsRegular() {
				return roots
			}
			// A linked work tree: "gitdir: MAIN/.git/worktrees/NAME".
			text, _ := os.ReadFile(git)
			linked, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "gitdir: ")
			if ok && !filepath.IsAbs(linked) {
				linked = filepath.Join(dir, linked)
			}
			if main := filepath.Dir(filepath.Dir(linked)); ok && filepath.Base(main) == ".git" {
				roots = append(roots, filepath.Dir(main))
			}
			return roots
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return nil
		}
		dir = parent
	}
}

// checkIsolated fails if the home's own files hold a credential, or would send
// one elsewhere. The operator wrote them, so they are named and left as they are.
func checkIsolated(h Home) error {
	// Not only the files that are known here: the agent reads instructions,
	// skills and more, and writes transcripts.
	for _, dir := range []string{h.Dir, filepath.Join(h.Dir, ".claude")} {
		entries, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.Name() == ".credentials.json" {
				continue // is unlinked
			}
			if err := refuseLinkToReal(h, filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	var all []string
	for _, path := range homeFiles(h.Dir, "") {
		found, _, err := scanFile(path)
		if err != nil {
			return err
		}
		for _, f := range found {
			if f.kind != network {
				all = append(all, "remove "+f.String()+": "+f.kind.String())
			}
		}
	}
	if p, err := presence(profileDir(h.Dir)); p == Unknown {
		return err
	} else if p == Present {
		all = append(all, "remove "+profileDir(h.Dir)+": it is a login of the provider's tools")
	}
	if len(all) > 0 {
		return fmt.Errorf("%w: %s", ErrCredential, strings.Join(all, "; "))
	}
	return nil
}
