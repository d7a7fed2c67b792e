package tuiauth_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/tuiauth"
)

// other is the Layout of a made-up agent that resembles codex. It has one directory, a
// TOML file that records trust, and a login that it refreshes.
var other = &tuiauth.Layout{
	Name:        "other",
	Token:       "OPENAI_API_KEY",
	Unattended:  []string{"OTHER_QUIET=1"},
	Dir:         ".codex",
	DirVariable: "CODEX_HOME",
	Credentials: []tuiauth.Credential{
		{Variable: "CODEX_ACCESS_TOKEN"},
		{Setting: "model_provider", Why: "the credential of another provider is used"},
		{File: ".codex/keys"},
		{Variable: "OPENAI_API_KEY"},
		{Login: ".codex/auth.json"},
	},
	Config:   func(home string) []string { return []string{filepath.Join(home, ".codex", "config.toml")} },
	Seed:     seedTOML,
	Settings: []string{".codex/config.toml"},
	Project: func(workdir string) []string {
		return []string{filepath.Join(workdir, ".codex", "config.toml")}
	},
	Scan:    scanTOML,
	Place:   regexp.MustCompile(`^(HOME|CODEX_HOME)$`),
	Network: regexp.MustCompile(`^HTTPS?_PROXY$`),
	Service: regexp.MustCompile(`^(OPENAI|CHATGPT)_BASE_URL$`),
}

func seedTOML(_ string, doc []byte, workdir string, mode tuiauth.Mode) (out []byte, keys []string, err error) {
	lines := strings.Split(string(doc), "\n")
	if slices.Contains(lines, "torn") {
		return nil, nil, fmt.Errorf("%w: a line is torn", tuiauth.ErrMalformed)
	}
	out = doc
	if update := "check_for_update_on_startup = false"; mode != tuiauth.Real && !slices.Contains(lines, update) {
		out = slices.Concat([]byte(update+"\n"), out) // before the first table
		keys = append(keys, "check_for_update_on_startup")
	}
	if table := "[projects." + strconv.Quote(workdir) + "]"; !slices.Contains(lines, table) {
		out = fmt.Appendf(slices.Clip(out), "%s\ntrust_level = \"untrusted\"\n", table)
		keys = append(keys, "projects."+strconv.Quote(workdir)+".trust_level")
	}
	return out, keys, nil
}

// scanTOML lists the keys above the first table, except keys with the value "ours".
func scanTOML(_ string, doc []byte) (map[string]string, error) {
	found := make(map[string]string)
	for line := range strings.Lines(string(doc)) {
		if strings.HasPrefix(line, "[") {
			break
		}
		if key, value, ok := strings.Cut(line, " = "); ok && value != "\"ours\"\n" {
			found[key] = key
		}
	}
	return found, nil
}

// A stage has the home of the other agent, a real home with a login, and a
// working directory.
type stage struct {
	*is.I
	tuiauth.Home
	work, config, login string
}

func newStage(t *testing.T, c tuiauth.HomeConfig) stage {
	is := is.New(t)
	root, err := filepath.EvalSymlinks(t.TempDir())
	is.NoErr(err)
	c.RealHome, c.Layout = filepath.Join(root, "real"), other
	if c.Configured != "" {
		c.Configured = filepath.Join(root, c.Configured)
	}
	h, err := tuiauth.ResolveHome(c)
	is.NoErr(err)
	s := stage{is, h, filepath.Join(root, "work"), filepath.Join(h.Dir, ".codex", "config.toml"), filepath.Join(h.Dir, ".codex", "auth.json")}
	is.NoErr(os.Mkdir(s.work, 0o700))
	s.write(filepath.Join(h.RealHome, ".codex", "auth.json"), "the operator's")
	return s
}

func (s stage) write(path, content string) {
	s.Helper()
	s.NoErr(os.MkdirAll(filepath.Dir(path), 0o700))
	s.NoErr(os.WriteFile(path, []byte(content), 0o600))
}

func (s stage) read(path string) string {
	s.Helper()
	b, err := os.ReadFile(path)
	s.NoErr(err)
	return string(b)
}

func (s stage) prepare() tuiauth.Report {
	s.Helper()
	said, err := tuiauth.CheckHome(s.Home, s.work)
	s.NoErr(err)
	did, err := tuiauth.PrepareHome(s.Home, s.work)
	s.NoErr(err)
	for i, aside := range did.MovedAside {
		s.Equal(s.read(aside), "left here")
		did.MovedAside[i] = strings.TrimSuffix(aside, ".aside-1")
	}
	s.Equal(said, did) // CheckHome told what PrepareHome did
	return did
}

func TestOtherAgentsHome(t *testing.T) {
	s := newStage(t, tuiauth.HomeConfig{EnvToken: true})
	s.Equal(s.Mode, tuiauth.Isolated)
	s.Equal(s.Layout, other)
	s.write(s.login, "left here")
	s.write(s.config, "# ours\n[projects.\"/else\"]\ntrust_level = \"untrusted\"\n")
	claudes := map[string]string{
		filepath.Join(s.Dir, ".claude", ".credentials.json"): "x",
		filepath.Join(s.Dir, ".claude", "settings.json"):     `{"apiKeyHelper":"x"}`,
		filepath.Join(s.Dir, ".claude.json"):                 "torn",
		filepath.Join(s.work, ".claude", "settings.json"):    `{"apiKeyHelper":"x"}`,
	}
	for path, content := range claudes {
		s.write(path, content)
	}

	r := s.prepare()
	s.Equal(r.MovedAside, []string{s.login})
	s.Equal(r.Seeded, []string{s.config + ": check_for_update_on_startup", s.config + ": projects." + strconv.Quote(s.work) + ".trust_level"})
	s.Equal(s.read(s.config), "check_for_update_on_startup = false\n# ours\n[projects.\"/else\"]\ntrust_level = \"untrusted\"\n"+
		"[projects."+strconv.Quote(s.work)+"]\ntrust_level = \"untrusted\"\n")
	s.Equal(s.prepare(), tuiauth.Report{Mode: tuiauth.Isolated})

	env := tuiauth.Environ([]string{"PATH=/bin", "CODEX_ACCESS_TOKEN=x", "TZ=dummy-token"}, s.Home, "dummy-token")
	s.Equal(env, []string{"PATH=/bin", "LANG=C.UTF-8", "HOME=" + s.Dir, "OPENAI_API_KEY=dummy-token", "OTHER_QUIET=1"})

	// Claude's credentials are not this agent's.
	env = append(env, "ANTHROPIC_API_KEY=x", "CLAUDE_CODE_USE_BEDROCK=1")
	sources, err := tuiauth.Audit(s.Home, s.work, env)
	s.NoErr(err)
	var names []string
	for _, source := range sources {
		names = append(names, source.Name)
		s.Equal(source.Wins, source.Name == "OPENAI_API_KEY in the environment")
	}
	s.Equal(names, []string{"CODEX_ACCESS_TOKEN in the environment", "login in " + filepath.Join(s.Dir, ".codex", "keys"),
		"OPENAI_API_KEY in the environment", "login in " + s.login, "settings in " + s.config})
	for path, content := range claudes {
		s.Equal(s.read(path), content)
	}
}

func TestOtherAgentsCredentialsAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		file, content string
		fix           string
		prepared      bool // PrepareHome leaves it to Audit
	}{
		"provider":   {"real/.tuiturn/home/.codex/config.toml", "model_provider = \"theirs\"\n", "remove model_provider in ", false},
		"service":    {"real/.tuiturn/home/.codex/config.toml", "openai_base_url = \"x\"\n", "remove openai_base_url in ", false},
		"key":        {"real/.tuiturn/home/.codex/keys", "x", "remove ", false},
		"workdir's":  {"work/.codex/config.toml", "openai_base_url = \"x\"\n", "remove openai_base_url in ", true},
		"what is ok": {"work/.codex/config.toml", "model_provider = \"ours\"\nmodel = \"x\"\n[model_providers.ours]\nopenai_base_url = \"x\"\n", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, tuiauth.HomeConfig{EnvToken: true})
			file := filepath.Join(filepath.Dir(s.RealHome), c.file)
			s.write(file, c.content)
			for _, do := range []func(tuiauth.Home, string) (tuiauth.Report, error){tuiauth.CheckHome, tuiauth.PrepareHome} {
				_, err := do(s.Home, s.work)
				s.Equal(errors.Is(err, tuiauth.ErrCredential), !c.prepared)
				s.True(err == nil || strings.Contains(err.Error(), c.fix) && strings.Contains(err.Error(), file))
			}
			_, err := tuiauth.Audit(s.Home, s.work, tuiauth.Environ(nil, s.Home, "dummy-token"))
			if c.fix == "" {
				s.NoErr(err)
				return
			}
			s.True(errors.Is(err, tuiauth.ErrCredential) && strings.Contains(err.Error(), c.fix) && strings.Contains(err.Error(), file))
		})
	}

	s := newStage(t, tuiauth.HomeConfig{EnvToken: true})
	for entry, fix := range map[string]string{
		"CODEX_ACCESS_TOKEN=x":         "do not add CODEX_ACCESS_TOKEN",
		"OPENAI_API_KEY=":              "provide a token: the home is isolated, and OPENAI_API_KEY is not set",
		"CODEX_HOME=" + s.work:         "remove openai_base_url in " + s.work,
		"OPENAI_BASE_URL=http://[::1]": "",
	} {
		s.write(filepath.Join(s.work, "config.toml"), "openai_base_url = \"x\"\n")
		_, err := tuiauth.Audit(s.Home, "", append(tuiauth.Environ(nil, s.Home, "dummy-token"), entry))
		s.Equal(err != nil, fix != "")
		s.True(err == nil || strings.Contains(err.Error(), fix))
	}
}

func TestOtherAgentsLoginIsUsed(t *testing.T) {
	// Linked: the login leads to the operator's.
	s := newStage(t, tuiauth.HomeConfig{Configured: "own"})
	s.Equal(s.prepare().Linked, []string{s.login})
	s.Equal(s.read(s.login), "the operator's")

	// Real: nothing but trust is set, and no login is touched.
	s = newStage(t, tuiauth.HomeConfig{})
	s.Equal(s.prepare().Seeded, []string{s.config + ": projects." + strconv.Quote(s.work) + ".trust_level"})
	s.Equal(s.read(s.login), "the operator's")
	sources, err := tuiauth.Audit(s.Home, "", tuiauth.Environ(nil, s.Home, ""))
	s.NoErr(err)
	won := slices.IndexFunc(sources, func(source tuiauth.Source) bool { return source.Wins })
	s.Equal(sources[won].Name, "login in "+s.login)
}

func TestOtherAgentsFileIsMalformed(t *testing.T) {
	s := newStage(t, tuiauth.HomeConfig{EnvToken: true})
	s.write(s.config, "torn")
	for _, do := range []func(tuiauth.Home, string) (tuiauth.Report, error){tuiauth.CheckHome, tuiauth.PrepareHome} {
		_, err := do(s.Home, s.work)
		s.True(errors.Is(err, tuiauth.ErrMalformed) && strings.Contains(err.Error(), s.config))
	}
	s.Equal(s.read(s.config), "torn")
}

// A Layout that would overlook a credential is refused.
func TestLayoutIsChecked(t *testing.T) {
	for field, spoil := range map[string]func(*tuiauth.Layout){
		"Token": func(l *tuiauth.Layout) { l.Token = "" },
		"Credentials": func(l *tuiauth.Layout) {
			l.Credentials = []tuiauth.Credential{{Variable: "CODEX_ACCESS_TOKEN"}}
		},
		"Scan is nil": func(l *tuiauth.Layout) { l.Scan = nil },
		"Seed is nil": func(l *tuiauth.Layout) { l.Seed = nil },
	} {
		t.Run(field, func(t *testing.T) {
			s := newStage(t, tuiauth.HomeConfig{EnvToken: true})
			l := *other
			spoil(&l)
			s.Layout = &l
			_, check := tuiauth.CheckHome(s.Home, s.work)
			_, prepare := tuiauth.PrepareHome(s.Home, s.work)
			_, audit := tuiauth.Audit(s.Home, s.work, nil)
			for _, err := range []error{check, prepare, audit} {
				s.True(err != nil && strings.Contains(err.Error(), field) && strings.Contains(err.Error(), `"other"`))
			}
		})
	}

	// Token and Credentials are enough.
	s := newStage(t, tuiauth.HomeConfig{EnvToken: true})
	s.Layout = &tuiauth.Layout{Token: "T", Credentials: []tuiauth.Credential{{Variable: "T"}}}
	s.Equal(s.prepare().Created, []string{filepath.Dir(s.Dir), s.Dir})
	_, err := tuiauth.Audit(s.Home, s.work, tuiauth.Environ(nil, s.Home, "dummy-token"))
	s.NoErr(err)
}
