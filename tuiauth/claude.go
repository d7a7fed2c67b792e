package tuiauth

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
)

// defaultLayout is claude's Layout.
var defaultLayout = claudeLayout(runtime.GOOS, "/home/claude/.claude/remote")

// claudeLayout describes the interactive claude, 2.1.104 to 2.1.330. Remote is a
// directory in which it looks for credentials, whichever user runs it.
func claudeLayout(goos, remote string) *Layout {
	const token = "CLAUDE_CODE_OAUTH_TOKEN"
	l := &Layout{
		Name:  "claude",
		Token: token,
		Unattended: []string{
			"DISABLE_AUTOUPDATER=1",
			"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1",
			// Without it 2.1.104 drops keystrokes for seconds while it retries
			// a download.
			"CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL=1",
		},
		Dir:         ".claude",
		DirVariable: "CLAUDE_CONFIG_DIR",
		Credentials: []Credential{
			{Variable: "ANTHROPIC_AUTH_TOKEN"}, // sent beside an API key; the service uses it first
			{Variable: "ANTHROPIC_API_KEY"},    // used after a person has approved it in a dialog
			{Variable: "CLAUDE_CODE_API_KEY_FILE_DESCRIPTOR"},
			{File: filepath.Join(remote, ".api_key"), Why: "2.1.104 to 2.1.330 read it for every user"},
			{Setting: "apiKeyHelper", Why: "its output is used as the credential"},
			{Variable: token},
			{Variable: "CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR"},
			{File: filepath.Join(remote, ".oauth_token"), Why: "2.1.104 to 2.1.330 read it for every user"},
			{File: ".config/anthropic", Why: "a login of the provider's tools, used by 2.1.158 and 2.1.330"},
			{Login: ".claude/.credentials.json"},
		},
		Config: claudeConfig,
		Seed:   claudeSeed,
		Lock:   ".lock", // 2.1.104, 2.1.158
		Settings: []string{
			// The last settings from an administrator's service. The agent
			// reads them when it talks to its own service.
			".claude/remote-settings.json",
			".claude/settings.json",
			".claude/.config.json",
			".claude.json",
		},
		Project: claudeProject,
		Managed: func() []string { return claudeManaged(goos) },
		Scan:    claudeScan,

		// Each version adds and removes many variables, so the words in a name
		// tell what it means. CLAUDE_CODE_MAX_OUTPUT_TOKENS is no token.
		Harmless: regexp.MustCompile(`^ANTHROPIC_.*(MODEL|BETAS|LOG)(_|$)|^CLAUDE_CODE_(DISABLE|ENABLE)_|^CLAUDE_CODE_.*_(MS|THRESHOLD)$` +
			`|^CLAUDE_CODE_USE_(NATIVE_FILE_SEARCH|POWERSHELL_TOOL)$`),
		Place: regexp.MustCompile(`^(HOME|XDG_CONFIG_HOME|CLAUDE_CONFIG_DIR|CLAUDE_SECURESTORAGE_CONFIG_DIR|ANTHROPIC_CONFIG_DIR` +
			`|CLAUDE_CODE_MANAGED_SETTINGS_PATH)$`),
		Network:  regexp.MustCompile(`^(CLAUDE_CODE_)?(HTTPS?|ALL|NO)_PROXY$|^NODE_EXTRA_CA_CERTS$|^SSL_CERT_(FILE|DIR)$`),
		Provider: regexp.MustCompile(`^CLAUDE_CODE_USE_|^CLAUDE_CODE_SKIP_.*_AUTH$|_REMOTE_SETTINGS(_|$)|^CLAUDE_CODE_(SIMPLE|REMOTE|ENTRYPOINT|PROVIDER_MANAGED_BY_HOST)$`),
		Secret: regexp.MustCompile(`(?s)^(ANTHROPIC|CLAUDE)(_.*)?_(TOKEN|OAUTH|KEY|CREDS|CREDENTIALS?|SECRET|AUTH|PASSWORD|INGRESS|FILE_DESCRIPTOR)(_|$)` +
			`|^AWS_BEARER_TOKEN_BEDROCK$`),
		Service: regexp.MustCompile(`(?s)^ANTHROPIC_|^CLAUDE(_.*)?_(URL|URI|HOST|SOCKET|CLIENT_CERT|CLIENT_KEY|CERT_STORE)(_|$)` +
			`|^NODE_TLS_REJECT_UNAUTHORIZED$`), // without TLS any host on the way can pose as the service
		HostSets: []string{"CLAUDE_CODE_ENTRYPOINT"},
	}
	if goos == "darwin" {
		l.Credentials = append(l.Credentials, Credential{Keychain: "the macOS keychain",
			Why: `no HOME isolates it: the agent asks for the generic passwords "Claude Code-credentials" and "Claude Code" of the account USER` +
				` (if CLAUDE_CONFIG_DIR is set, a hash is appended to the names); looking here could make macOS ask a person`})
	}
	// A login left this key.
	l.Credentials = append(l.Credentials, Credential{Setting: "primaryApiKey"})
	return l
}

// claudeConfig returns the configuration files that the agent may read.
func claudeConfig(home string) []string {
	path := filepath.Join(home, ".claude.json")
	// Where the older place of that file is in use, the agent (2.1.104 to
	// 2.1.330) reads the older place. Which of two files it prefers depends on
	// its version, so both are seeded. The newer file is not made, because that
	// would change the choice.
	legacy := filepath.Join(home, ".claude", ".config.json")
	if info, err := os.Stat(legacy); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return []string{legacy}
		}
		return []string{legacy, path}
	}
	return []string{path}
}

func claudeSeed(_ string, doc []byte, workdir string, mode Mode) ([]byte, []string, error) {
	if doc == nil {
		doc = []byte("{}\n")
	}
	trust := edit{path: []string{"projects", workdir, "hasTrustDialogAccepted"}, value: "true"}
	if mode == Real {
		return applyEdits(doc, []edit{trust})
	}
	return applyEdits(doc, []edit{
		{path: []string{"hasCompletedOnboarding"}, value: "true"},
		{path: []string{"theme"}, value: `"dark"`, keep: true},
		trust,
		{path: []string{"projects", workdir, "hasCompletedProjectOnboarding"}, value: "true"},
		// A CLAUDE.md in workdir may name files outside workdir. The agent then
		// neither asks about them nor reads them.
		{path: []string{"projects", workdir, "hasClaudeMdExternalIncludesWarningShown"}, value: "true"},
		{path: []string{"projects", workdir, "hasClaudeMdExternalIncludesApproved"}, value: "false", keep: true},
	})
}
