package tuiauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// hidden is the value of every credential in these tests. No output may show it.
const hidden = "dummy-hidden-value"

func env(names ...string) string {
	var list []string
	for _, name := range names {
		list = append(list, quote(name)+":"+quote(hidden))
	}
	return `{"env":{` + strings.Join(list, ",") + `}}`
}

// claudeOf is claude's Layout on a machine with the administrator's settings in
// managed.
func claudeOf(goos, remote string, managed ...string) *Layout {
	l := claudeLayout(goos, remote)
	l.Managed = func() []string { return managed }
	return l
}

func TestAudit(t *testing.T) {
	const (
		token    = "CLAUDE_CODE_OAUTH_TOKEN=" + hidden
		home     = "home/.claude/settings.json"
		project  = "work/.claude/settings.json"
		local    = "work/.claude/settings.local.json"
		config   = "home/.claude.json"
		login    = "home/.claude/.credentials.json"
		ourToken = "CLAUDE_CODE_OAUTH_TOKEN in the environment"
	)
	type files map[string]string
	type vars []string
	for name, c := range map[string]struct {
		mode  Mode
		files files
		vars  vars
		wins  string // of the Source
		fix   string // contained in the error; empty: there is none
	}{
		"token":                 {Isolated, nil, vars{token}, ourToken, ""},
		"no token":              {Isolated, nil, nil, "", "CLAUDE_CODE_OAUTH_TOKEN is not set"},
		"empty token":           {Isolated, nil, vars{token, "CLAUDE_CODE_OAUTH_TOKEN="}, "", "CLAUDE_CODE_OAUTH_TOKEN is not set"},
		"login that came since": {Isolated, files{login: hidden}, vars{token}, ourToken, ""},
		"primary key":           {Isolated, files{config: `{"primaryApiKey":"` + hidden + `"}`}, vars{token}, ourToken, ""},
		"account":               {Isolated, files{config: `{"oauthAccount":{"emailAddress":"x"},"customApiKeyResponses":{"approved":["x"]}}`}, vars{token}, ourToken, ""},
		"variable": {Isolated, nil, vars{token, "ANTHROPIC_AUTH_TOKEN=" + hidden},
			"ANTHROPIC_AUTH_TOKEN in the environment", "do not add ANTHROPIC_AUTH_TOKEN"},
		"key":               {Isolated, nil, vars{token, "ANTHROPIC_API_KEY=" + hidden}, "ANTHROPIC_API_KEY in the environment", "do not add ANTHROPIC_API_KEY"},
		"weaker variable":   {Isolated, nil, vars{token, "CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR=3"}, ourToken, ""},
		"service variable":  {Isolated, nil, vars{token, "ANTHROPIC_BASE_URL=http://127.0.0.1:1"}, ourToken, ""},
		"provider variable": {Isolated, nil, vars{token, "CLAUDE_CODE_USE_BEDROCK=1"}, ourToken, "do not add CLAUDE_CODE_USE_BEDROCK"},
		"entry point":       {Isolated, nil, vars{token, "CLAUDE_CODE_ENTRYPOINT=x"}, ourToken, ""},
		"entry point set":   {Isolated, files{home: env("CLAUDE_CODE_ENTRYPOINT")}, vars{token}, ourToken, "remove env.CLAUDE_CODE_ENTRYPOINT in "},
		"weaker in project": {Isolated, files{project: env("CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR")}, vars{token}, ourToken, "remove env.CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR in "},
		"config variable":   {Isolated, nil, vars{token, "CLAUDE_CONFIG_DIR=/x"}, ourToken, ""},
		"other config":      {Isolated, files{"c/settings.json": `{"apiKeyHelper":"x"}`, home: `{"apiKeyHelper":"x"}`}, vars{token, "CLAUDE_CONFIG_DIR=ROOT/c"}, "apiKeyHelper in c/settings.json", "c/settings.json"},
		"other home":        {Isolated, files{"c/.claude.json": env("ANTHROPIC_AUTH_TOKEN"), home: `{"apiKeyHelper":"x"}`}, vars{token, "HOME=ROOT/c"}, "env.ANTHROPIC_AUTH_TOKEN in c/.claude.json", "c/.claude.json"},
		"other login":       {Real, files{"c/.credentials.json": hidden, login: hidden}, vars{"CLAUDE_CONFIG_DIR=ROOT/c"}, "login in c/.credentials.json", ""},

		"helper at home":     {Isolated, files{home: `{"apiKeyHelper":"echo ` + hidden + `"}`}, vars{token}, "apiKeyHelper in " + home, "remove apiKeyHelper in "},
		"helper in project":  {Isolated, files{project: `{"apiKeyHelper":"echo ` + hidden + `"}`}, vars{token}, "apiKeyHelper in " + project, "remove apiKeyHelper in "},
		"helper, null":       {Isolated, files{project: `{"apiKeyHelper":null}`, local: `{"apiKeyHelper":""}`}, vars{token}, ourToken, ""},
		"token in project":   {Isolated, files{project: env("CLAUDE_CODE_OAUTH_TOKEN")}, vars{token}, "env.CLAUDE_CODE_OAUTH_TOKEN in " + project, "remove env.CLAUDE_CODE_OAUTH_TOKEN in "},
		"local before it":    {Isolated, files{project: env("ANTHROPIC_AUTH_TOKEN"), local: env("ANTHROPIC_AUTH_TOKEN")}, vars{token}, "env.ANTHROPIC_AUTH_TOKEN in " + local, local},
		"emptied by project": {Isolated, files{project: `{"env":{"CLAUDE_CODE_OAUTH_TOKEN":""}}`}, vars{token}, "env.CLAUDE_CODE_OAUTH_TOKEN in " + project, project},
		"escaped key":        {Isolated, files{project: `{"\u0065nv":{"ANTHROPIC_AUTH_\u0054OKEN":"x"}}`}, vars{token}, "env.ANTHROPIC_AUTH_TOKEN in " + project, project},
		"byte order mark":    {Isolated, files{project: "\ufeff" + env("ANTHROPIC_AUTH_TOKEN")}, vars{token}, "env.ANTHROPIC_AUTH_TOKEN in " + project, project},
		"service in project": {Isolated, files{local: env("ANTHROPIC_BASE_URL")}, vars{token}, ourToken, "remove env.ANTHROPIC_BASE_URL in "},
		"proxy in project":   {Isolated, files{project: env("https_proxy")}, vars{token}, ourToken, "remove env.https_proxy in "},
		"proxy at home":      {Isolated, files{home: env("HTTPS_PROXY")}, vars{token}, ourToken, ""},
		"legacy env":         {Isolated, files{config: env("ANTHROPIC_AUTH_TOKEN")}, vars{token}, "env.ANTHROPIC_AUTH_TOKEN in " + config, "remove env.ANTHROPIC_AUTH_TOKEN in "},
		"harmless settings": {Isolated, files{home: env("ANTHROPIC_MODEL", "ANTHROPIC_DEFAULT_OPUS_MODEL", "CLAUDE_CODE_MAX_OUTPUT_TOKENS", "MAX_THINKING_TOKENS", "GITHUB_TOKEN", "FOO"),
			project: `{"permissions":{"allow":["Read"]},"projects":{"env":{"ANTHROPIC_AUTH_TOKEN":"x"}}}`, local: " \n"}, vars{token}, ourToken, ""},
		"malformed":   {Isolated, files{project: `// no JSON`}, vars{token}, ourToken, "readable and valid"},
		"duplicate":   {Isolated, files{project: `{"env":{},"env":{}}`}, vars{token}, ourToken, "readable and valid"},
		"no object":   {Isolated, files{project: `{"env":["ANTHROPIC_AUTH_TOKEN"]}`}, vars{token}, ourToken, "readable and valid"},
		"file in way": {Isolated, files{"work/.claude": "x"}, vars{token}, ourToken, ""},

		"remote settings":        {Isolated, files{"home/.claude/remote-settings.json": env("ANTHROPIC_BASE_URL")}, vars{token}, ourToken, "remove env.ANTHROPIC_BASE_URL in "},
		"remote helper":          {Isolated, files{"home/.claude/remote-settings.json": `{"apiKeyHelper":"x"}`, home: `{"apiKeyHelper":"x"}`}, vars{token}, "apiKeyHelper in home/.claude/remote-settings.json", "remote-settings.json"},
		"git root":               {Isolated, files{".git/HEAD": "x", ".claude/settings.local.json": env("ANTHROPIC_BASE_URL"), ".claude/settings.json": env("ANTHROPIC_AUTH_TOKEN")}, vars{token}, ourToken, "settings.local.json"},
		"main work tree":         {Isolated, files{"work/.git": "gitdir: ../main/.git/worktrees/w\n", "main/.claude/settings.local.json": env("ANTHROPIC_AUTH_TOKEN")}, vars{token}, "env.ANTHROPIC_AUTH_TOKEN in main/.claude/settings.local.json", "remove "},
		"git file of some kind":  {Isolated, files{"work/.git": "x", local: env("FOO")}, vars{token}, ourToken, ""},
		"project, without token": {Real, files{login: hidden, project: env("ANTHROPIC_BASE_URL")}, nil, "login in " + login, "remove env.ANTHROPIC_BASE_URL in "},

		"service at home":    {Isolated, files{home: env("ANTHROPIC_BASE_URL")}, vars{token}, ourToken, "remove env.ANTHROPIC_BASE_URL in "},
		"operator's service": {Real, files{home: env("ANTHROPIC_BASE_URL")}, vars{token}, ourToken, ""},
		"token, real home":   {Real, files{home: `{"apiKeyHelper":"x"}`}, vars{token}, "apiKeyHelper in " + home, "remove apiKeyHelper"},
		"operator's login":   {Real, files{login: hidden}, nil, "login in " + login, ""},
		"operator's key":     {Real, files{config: `{"primaryApiKey":"` + hidden + `"}`}, nil, "primaryApiKey in " + config, ""},
		"operator's own":     {Real, files{login: hidden, home: env("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"), project: "//"}, nil, "env.ANTHROPIC_AUTH_TOKEN in " + home, ""},
		"linked":             {Linked, files{login: hidden, config: `{"primaryApiKey":"` + hidden + `"}`}, nil, "login in " + login, ""},
		"nothing":            {Real, nil, nil, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			root := tempDir(t)
			h := Home{Dir: filepath.Join(root, "home"), RealHome: filepath.Join(root, "real"), Mode: c.mode}
			work := filepath.Join(root, "work")
			is.NoErr(errors.Join(os.Mkdir(h.Dir, 0o700), os.Mkdir(work, 0o700)))
			for f, content := range c.files {
				writeFile(t, filepath.Join(root, f), content)
			}
			environ := []string{"HOME=" + h.Dir}
			for _, kv := range c.vars {
				environ = append(environ, strings.ReplaceAll(kv, "ROOT", root))
			}
			h.Layout = claudeOf("linux", filepath.Join(root, "remote"))
			sources, err := Audit(h, work, environ)
			wins := ""
			for _, s := range sources {
				is.True(s.Name != "" && s.Why != "")
				if s.Wins {
					is.Equal(wins, "") // one at most
					is.Equal(s.Present, Present)
					wins = strings.Replace(s.Name, root+"/", "", 1)
				}
			}
			is.Equal(wins, c.wins)
			is.Equal(err != nil, c.fix != "")
			if err != nil {
				is.True(errors.Is(err, ErrCredential))
				if !strings.Contains(err.Error(), c.fix) {
					t.Errorf("%q is not in %v", c.fix, err)
				}
			}
			table, jsonErr := json.Marshal(sources)
			is.NoErr(jsonErr)
			if shown := fmt.Sprint(sources, err) + string(table); strings.Contains(shown, hidden) {
				t.Errorf("a value is shown: %s", shown)
			}
		})
	}
}

func TestAuditNamesTheKeychain(t *testing.T) {
	for goos, want := range map[string]int{"darwin": 1, "linux": 0} {
		is := is.New(t)
		home := tempDir(t)
		vars := []string{"CLAUDE_CODE_OAUTH_TOKEN=" + hidden}
		sources, err := Audit(Home{Dir: home, Mode: Isolated, Layout: claudeOf(goos, home)}, home, vars)
		is.NoErr(err)
		n := 0
		for _, s := range sources {
			if strings.Contains(s.Name, "keychain") {
				n++
				is.Equal(s.Present, Unknown)
				is.True(!s.Wins && strings.Contains(s.Why, `"Claude Code-credentials"`) && strings.Contains(s.Why, "CLAUDE_CODE_OAUTH_TOKEN in the environment comes before it"))
			}
		}
		is.Equal(n, want)
	}
}

func TestAuditOfTheMachine(t *testing.T) {
	is := is.New(t)
	root := tempDir(t)
	home := filepath.Join(root, "home")
	is.NoErr(os.Mkdir(home, 0o700))
	managed := filepath.Join(root, "managed-settings.json")
	remote := filepath.Join(root, "remote")
	audit := func() error {
		_, err := Audit(Home{Dir: home, Mode: Isolated, Layout: claudeOf("linux", remote, managed)}, root, []string{"CLAUDE_CODE_OAUTH_TOKEN=" + hidden})
		return err
	}
	writeFile(t, managed, `{"permissions":{}}`)
	writeFile(t, filepath.Join(remote, ".oauth_token"), hidden)
	is.NoErr(audit()) // the token comes before such a one
	writeFile(t, filepath.Join(remote, ".api_key"), hidden)
	is.True(strings.Contains(audit().Error(), filepath.Join(remote, ".api_key")))
	is.NoErr(os.RemoveAll(remote))
	writeFile(t, managed, env("ANTHROPIC_BASE_URL", "HTTPS_PROXY"))
	is.NoErr(audit())
	writeFile(t, managed, env("CLAUDE_CODE_USE_BEDROCK"))
	is.True(strings.Contains(audit().Error(), "remove env.CLAUDE_CODE_USE_BEDROCK in "+managed))

	is.Equal(claudeManaged("darwin")[0], "/Library/Application Support/ClaudeCode/managed-settings.json")
}

// The agent reads the settings in the physical path of its working directory.
func TestAuditFollowsTheWorkdir(t *testing.T) {
	is := is.New(t)
	root := tempDir(t)
	h := Home{Dir: filepath.Join(root, "home"), Mode: Isolated}
	vars := []string{"CLAUDE_CODE_OAUTH_TOKEN=" + hidden}
	writeFile(t, filepath.Join(root, "wo rk", ".claude", "settings.json"), env("ANTHROPIC_AUTH_TOKEN"))
	link := filepath.Join(root, "link 'é")
	is.NoErr(os.Symlink("wo rk", link))
	_, err := Audit(h, link, vars)
	is.True(errors.Is(err, ErrCredential))
	is.True(strings.Contains(err.Error(), filepath.Join(root, "wo rk", ".claude", "settings.json")))
	_, err = Audit(h, "", vars)
	is.NoErr(err) // the agent does not read them
	_, err = Audit(h, filepath.Join(root, "nowhere"), vars)
	is.True(errors.Is(err, os.ErrNotExist) && !errors.Is(err, ErrCredential))

	// If the working directory is the home, the shared settings count as the
	// home's and the local settings as the project's.
	writeFile(t, filepath.Join(h.Dir, ".claude", "settings.json"), env("HTTPS_PROXY"))
	_, err = Audit(h, h.Dir, vars)
	is.NoErr(err)
	// If the configuration is in another directory, both are the project's.
	_, err = Audit(h, h.Dir, append(vars, "CLAUDE_CONFIG_DIR="+root))
	is.True(errors.Is(err, ErrCredential))
	writeFile(t, filepath.Join(h.Dir, ".claude", "settings.local.json"), env("HTTPS_PROXY"))
	_, err = Audit(h, h.Dir, vars)
	is.True(errors.Is(err, ErrCredential))
}

func TestIsolatedHomeRefusesCredentials(t *testing.T) {
	for name, c := range map[string]struct {
		file, content string
		names         string // empty: it is fine
	}{
		"helper":         {".claude/settings.json", `{"apiKeyHelper":"echo ` + hidden + `"}`, "apiKeyHelper"},
		"token":          {".claude/settings.json", env("ANTHROPIC_AUTH_TOKEN"), "env.ANTHROPIC_AUTH_TOKEN"},
		"oauth":          {".claude/settings.json", env("CLAUDE_CODE_OAUTH_TOKEN"), "env.CLAUDE_CODE_OAUTH_TOKEN"},
		"refresh token":  {".claude/settings.json", env("CLAUDE_CODE_OAUTH_REFRESH_TOKEN"), "env.CLAUDE_CODE_OAUTH_REFRESH_TOKEN"},
		"service":        {".claude/settings.json", env("ANTHROPIC_BASE_URL"), "env.ANTHROPIC_BASE_URL"},
		"headers":        {".claude/settings.json", env("ANTHROPIC_CUSTOM_HEADERS"), "env.ANTHROPIC_CUSTOM_HEADERS"},
		"provider":       {".claude/settings.json", env("CLAUDE_CODE_USE_VERTEX"), "env.CLAUDE_CODE_USE_VERTEX"},
		"config":         {".claude/settings.json", env("CLAUDE_CONFIG_DIR"), "env.CLAUDE_CONFIG_DIR"},
		"socket":         {".claude/settings.json", env("ANTHROPIC_UNIX_SOCKET"), "env.ANTHROPIC_UNIX_SOCKET"},
		"legacy env":     {".claude.json", env("ANTHROPIC_AUTH_TOKEN"), "env.ANTHROPIC_AUTH_TOKEN"},
		"primary key":    {".claude.json", `{"primaryApiKey":"` + hidden + `"}`, "primaryApiKey"},
		"older place":    {".claude/.config.json", `{"primaryApiKey":"` + hidden + `"}`, "primaryApiKey"},
		"remote":         {".claude/remote-settings.json", `{"apiKeyHelper":"x"}`, "apiKeyHelper"},
		"without TLS":    {".claude/settings.json", env("NODE_TLS_REJECT_UNAUTHORIZED"), "env.NODE_TLS_REJECT_UNAUTHORIZED"},
		"profile":        {".config/anthropic/credentials/default.json", hidden, ".config/anthropic"},
		"proxy":          {".claude/settings.json", env("HTTPS_PROXY", "NODE_EXTRA_CA_CERTS"), ""},
		"account":        {".claude.json", `{"oauthAccount":{},"customApiKeyResponses":{"approved":["x"]},"primaryApiKey":null}`, ""},
		"other settings": {".claude/settings.json", `{"model":"opus","env":{"ANTHROPIC_MODEL":"x","FOO":"1"},"permissions":{"deny":["Read"]}}`, ""},
		"not read":       {".claude/settings.local.json", env("ANTHROPIC_AUTH_TOKEN"), ""},
		"other program":  {".config/git/config", "x", ""},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			h := Home{Dir: tempDir(t), RealHome: tempDir(t), Mode: Isolated}
			file := filepath.Join(h.Dir, c.file)
			writeFile(t, file, c.content)
			_, err := PrepareHome(h, tempDir(t))
			if c.names == "" {
				is.NoErr(err)
				return
			}
			is.True(errors.Is(err, ErrCredential))
			is.True(strings.Contains(err.Error(), c.names) && strings.Contains(err.Error(), h.Dir))
			is.True(!strings.Contains(err.Error(), hidden))
			is.Equal(readFile(t, file), c.content)
			_, err = PrepareHome(Home{Dir: h.Dir, RealHome: h.Dir}, h.Dir)
			is.NoErr(err) // as a real home it is the operator's business
		})
	}
}

func TestIsolatedHomeRefusesLinksIntoTheRealHome(t *testing.T) {
	is := is.New(t)
	h := Home{Dir: tempDir(t), RealHome: tempDir(t), Mode: Isolated}
	is.NoErr(os.MkdirAll(filepath.Join(h.RealHome, ".claude", "projects"), 0o700))
	is.NoErr(os.Mkdir(filepath.Join(h.Dir, ".claude"), 0o700))
	for _, name := range []string{".claude/settings.json", ".claude/CLAUDE.md", ".claude/projects", ".claude/skills", ".mcp.json"} {
		link := filepath.Join(h.Dir, name)
		is.NoErr(os.Symlink(filepath.Join(h.RealHome, name), link)) // where some lead to nothing, yet
		_, err := PrepareHome(h, tempDir(t))
		is.True(err != nil && strings.Contains(err.Error(), "remove the link") && strings.Contains(err.Error(), link))
		is.NoErr(os.Remove(link))
	}
	_, err := PrepareHome(h, tempDir(t))
	is.NoErr(err)
}

func TestMeaningOfVariable(t *testing.T) {
	l := defaultLayout
	for want, names := range map[effect]string{
		credential:  "ANTHROPIC_AUTH_TOKEN ANTHROPIC_API_KEY CLAUDE_CODE_API_KEY_FILE_DESCRIPTOR CLAUDE_CODE_OAUTH_TOKEN CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR",
		otherSecret: "ANTHROPIC_FOUNDRY_API_KEY ANTHROPIC_IDENTITY_TOKEN_FILE CLAUDE_CODE_OAUTH_REFRESH_TOKEN CLAUDE_CODE_HOST_CREDS_FILE CLAUDE_CODE_SESSION_ACCESS_TOKEN AWS_BEARER_TOKEN_BEDROCK CLAUDE_CODE_CUSTOM_OAUTH_URL",
		provider:    "CLAUDE_CODE_USE_BEDROCK CLAUDE_CODE_USE_SOMETHING_NEW CLAUDE_CODE_SKIP_VERTEX_AUTH CLAUDE_CODE_SIMPLE CLAUDE_CODE_REMOTE CLAUDE_CODE_REMOTE_SETTINGS_PATH CLAUDE_CODE_ENTRYPOINT",
		service:     "NODE_TLS_REJECT_UNAUTHORIZED ANTHROPIC_BASE_URL ANTHROPIC_CUSTOM_HEADERS ANTHROPIC_UNIX_SOCKET ANTHROPIC_PROFILE ANTHROPIC_SOMETHING_NEW CLAUDE_CODE_API_BASE_URL CLAUDE_CODE_CLIENT_CERT",
		place:       "HOME XDG_CONFIG_HOME CLAUDE_CONFIG_DIR CLAUDE_SECURESTORAGE_CONFIG_DIR ANTHROPIC_CONFIG_DIR",
		network:     "HTTPS_PROXY http_proxy ALL_PROXY CLAUDE_CODE_HTTPS_PROXY NODE_EXTRA_CA_CERTS SSL_CERT_FILE",
		harmless: "ANTHROPIC_MODEL ANTHROPIC_DEFAULT_OPUS_MODEL_NAME ANTHROPIC_BETAS CLAUDE_CODE_MAX_OUTPUT_TOKENS MAX_THINKING_TOKENS CLAUDE_CODE_ENABLE_TOKEN_USAGE_ATTACHMENT " +
			"CLAUDE_CODE_API_KEY_HELPER_TTL_MS CLAUDE_CODE_SKIP_PROMPT_HISTORY CLAUDE_CODE_TMPDIR GITHUB_TOKEN AWS_PROFILE FOO PATH",
	} {
		for name := range strings.FieldsSeq(names) {
			if got := l.variable(name).effect; got != want {
				t.Errorf("%s: got effect %d, want %d", name, got, want)
			}
		}
	}
	// The strongest come first, whatever the case.
	last := -1
	for _, name := range []string{"anthropic_auth_token", "ANTHROPIC_API_KEY", "CLAUDE_CODE_API_KEY_FILE_DESCRIPTOR", "Claude_Code_OAuth_Token", "CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR"} {
		rank := l.variable(name).rank
		if rank <= last {
			t.Errorf("%s is not weaker than the one before it", name)
		}
		last = rank
	}
	for _, kv := range l.Unattended {
		name, _, _ := strings.Cut(kv, "=")
		if l.variable(name).effect != harmless {
			t.Errorf("%s is our own", name)
		}
	}
}

// FuzzScanSettings compares the result with a JSON decoder's.
func FuzzScanSettings(f *testing.F) {
	for _, s := range []string{
		`{}`, ``, "\ufeff{}", `{"env":{"ANTHROPIC_AUTH_TOKEN":"x","A":1},"apiKeyHelper":"y"}`, `{"env":null,"primaryApiKey":""}`,
		`{"\u0065nv":{"http_proxy":[{}],"CLAUDE_CONFIG_DIR":{"env":{}}}}`, `{"env":{},"env":{}}`, `[{"env":{"HOME":1}}]`, `{"a":{"apiKeyHelper":1}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		found, err := scanSettings(doc)
		if err != nil {
			if !errors.Is(err, ErrMalformed) || found != nil {
				t.Fatalf("%v with %v", err, found)
			}
			return
		}
		var top map[string]json.RawMessage
		doc = []byte(strings.TrimPrefix(string(doc), "\ufeff"))
		if strings.TrimSpace(string(doc)) == "" {
			if found != nil {
				t.Fatalf("%v in nothing", found)
			}
			return
		}
		if err := json.Unmarshal(doc, &top); err != nil {
			t.Fatalf("accepted, but: %v", err)
		}
		want := make(map[string]string)
		for _, key := range []string{"apiKeyHelper", "primaryApiKey"} {
			if v, ok := top[key]; ok && string(v) != "null" && string(v) != `""` {
				want[key] = ""
			}
		}
		var vars map[string]json.RawMessage
		if v, ok := top["env"]; ok && string(v) != `""` {
			if err := json.Unmarshal(v, &vars); err != nil {
				t.Fatalf("accepted, but: %v", err)
			}
		}
		for name := range vars {
			if !strings.ContainsRune(name, '\uFFFD') {
				want[edit{path: []string{"env", name}}.String()] = name
			}
		}
		got := make(map[string]string)
		for key, name := range found {
			// The name of half a surrogate pair is the text in the file.
			if !strings.ContainsRune(name, '\uFFFD') && !(strings.HasPrefix(name, `"`) && strings.Contains(name, `\u`)) {
				got[key] = name
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("found %v, want %v, in %q", got, want, doc)
		}
	})
}
