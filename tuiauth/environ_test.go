package tuiauth

import (
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/secret"
)

const dummy = "dummy-token-not-a-real-one"

func TestEnviron(t *testing.T) {
	is := is.New(t)
	got := Environ([]string{
		"ANTHROPIC_API_KEY=x", "ANTHROPIC_BASE_URL=x", "CLAUDECODE=1", "CLAUDE_CONFIG_DIR=/x", "CLAUDE_CODE_ENTRYPOINT=x",
		"CLAUDE_CODE_OAUTH_TOKEN=other", "HOME=/x", "TMUX=x", "TMUX_PANE=%1", "TERM=dumb", "SHELL=/bin/false",
		"NODE_OPTIONS=--require=x", "LD_PRELOAD=x", "BASH_ENV=x", "XDG_CONFIG_HOME=/x", "LC_SMUGGLED=x", "AWS_PROFILE=x",
		"TZ=", "LC_ALL=de_DE.UTF-8", "PATH=/first", "https_proxy=http://u:p@proxy:1", "PATH=/last", "path=/x", "broken", "=x",
	}, Home{Dir: "/h o"}, dummy)
	is.Equal(got, []string{
		"PATH=/last", "LANG=C.UTF-8", "LC_ALL=de_DE.UTF-8", "TZ=", "https_proxy=http://u:p@proxy:1",
		"HOME=/h o", "CLAUDE_CODE_OAUTH_TOKEN=" + dummy,
		"DISABLE_AUTOUPDATER=1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1", "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL=1",
	})
}

func TestEnvironOfNothing(t *testing.T) {
	is := is.New(t)
	is.Equal(Environ([]string{"PATH=", "LANG="}, Home{Dir: "/h"}, ""), Environ(nil, Home{Dir: "/h"}, ""))
	is.Equal(Environ(nil, Home{Dir: "/h"}, ""), []string{
		"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "HOME=/h",
		"DISABLE_AUTOUPDATER=1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1", "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL=1",
	})
}

func TestEnvironDropsTheTokenUnderAnyName(t *testing.T) {
	is := is.New(t)
	for _, kv := range []string{"TZ=" + dummy, "https_proxy=http://u:" + dummy + "@proxy", "PATH=/bin:" + dummy, "USER=a\x00b"} {
		is.Equal(Environ([]string{kv}, Home{Dir: "/h"}, dummy), Environ(nil, Home{Dir: "/h"}, dummy))
	}
	// The last entry counts, so an earlier value does not return.
	is.Equal(Environ([]string{"TZ=UTC", "TZ=" + dummy}, Home{Dir: "/h"}, dummy), Environ(nil, Home{Dir: "/h"}, dummy))
}

func TestEnvironDropsKnownSecretsUnderAnyName(t *testing.T) {
	is := is.New(t)
	none := Environ(nil, Home{Dir: "/h"}, dummy)
	for _, name := range []string{"ANTHROPIC_API_KEY", "anthropic_auth_token", "GITHUB_TOKEN", "DB_PASSWORD", "AWS_SECRET_ACCESS_KEY", "CLAUDE_CODE_OAUTH_TOKEN"} {
		for _, other := range inherited {
			is.Equal(Environ([]string{name + "=dummy-secret", other + "=dummy-secret"}, Home{Dir: "/h"}, dummy), none)
			is.Equal(Environ([]string{other + "=dummy-secret", name + "=dummy-secret", name + "=other"}, Home{Dir: "/h"}, ""), Environ(nil, Home{Dir: "/h"}, ""))
		}
	}
	// A switch is no secret. A password in a proxy's URL passes.
	got := Environ([]string{"REQUIRE_AUTH=UTC", "TZ=UTC", "PROXY_PASSWORD=dummy-secret", "https_proxy=http://u:dummy-secret@proxy"}, Home{Dir: "/h"}, "")
	is.True(slices.Contains(got, "TZ=UTC"))
	is.True(slices.Contains(got, "https_proxy=http://u:dummy-secret@proxy"))
}

func TestCheckToken(t *testing.T) {
	is := is.New(t)
	is.NoErr(CheckToken(dummy))
	for _, token := range []Secret{"", dummy + "\n", "a b" + dummy, dummy + "\x00", "\ufeff" + dummy, dummy + "é", "\x1b" + dummy, dummy + "\x7f"} {
		err := CheckToken(token)
		is.True(err != nil)
		is.True(!strings.Contains(err.Error(), dummy))
	}
}

func FuzzEnviron(f *testing.F) {
	f.Add("PATH=/bin\nANTHROPIC_API_KEY=x\nLC_ALL=C\nTZ="+dummy, "/h", dummy)
	f.Add("TZ=a-dummy-secret\nMY_TOKEN=a-dummy-secret\nUSER=a-dummy", "/h", "")
	f.Add("TZ=a\nTZ=b\nHTTP_PROXY=\nX", "/h", "")
	f.Fuzz(func(t *testing.T, base, home, token string) {
		if strings.Contains(home, dummy) || strings.ContainsRune(home, 0) {
			return
		}
		if token != "" {
			token = dummy // what the fixed values hold can't be a token
		}
		env := Environ(strings.Split(base, "\n"), Home{Dir: home}, Secret(token))
		seen := make(map[string]string)
		holds := 0
		for _, kv := range env {
			name, value, ok := strings.Cut(kv, "=")
			if _, twice := seen[name]; !ok || twice || strings.ContainsRune(kv, 0) {
				t.Fatalf("%q in %q", kv, env)
			}
			seen[name] = value
			if strings.Contains(kv, dummy) && token != "" {
				holds++
			}
			if !slices.Contains(inherited, name) && name != "HOME" && name != defaultLayout.Token && !slices.Contains(defaultLayout.Unattended, kv) {
				t.Fatalf("%q passed", kv)
			}
		}
		for kv := range strings.SplitSeq(base, "\n") {
			name, _, _ := strings.Cut(kv, "=")
			secret := secret.Named(kv)
			if secret == "" || slices.Contains(inherited, name) {
				continue
			}
			for _, name := range inherited {
				if value, ok := seen[name]; ok && value == secret && !slices.Contains(Environ(nil, Home{}, ""), name+"="+value) {
					t.Fatalf("a secret passed as %s: %q", name, env)
				}
			}
		}
		if token != "" && (holds != 1 || seen[defaultLayout.Token] != token) {
			t.Fatalf("the token stands in %d variables: %q", holds, env)
		}
		if _, ok := seen[defaultLayout.Token]; ok != (token != "") {
			t.Fatalf("a credential without a token: %q", env)
		}
		if seen["HOME"] != home || seen["PATH"] == "" || seen["LANG"] == "" {
			t.Fatalf("incomplete: %q", env)
		}
	})
}
