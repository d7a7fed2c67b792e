package tuiauth_test

import (
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/tuiturn/tuiturn/tuiauth"
)

func ExampleResolveHome() {
	for _, c := range []tuiauth.HomeConfig{
		{RealHome: "/home/ann"},
		{RealHome: "/home/ann", EnvToken: true},
		{RealHome: "/home/ann", EnvToken: true, Configured: "/srv/agent"},
		{RealHome: "/home/ann", Configured: "/srv/agent"},
	} {
		home, err := tuiauth.ResolveHome(c)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(home.Mode, home.Dir)
	}
	// Output:
	// real /home/ann
	// isolated /home/ann/.tuiturn/home
	// isolated /srv/agent
	// linked /srv/agent
}

func ExamplePrepareHome() {
	realHome, err := os.MkdirTemp("", "home")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(realHome)
	home, err := tuiauth.ResolveHome(tuiauth.HomeConfig{RealHome: realHome, EnvToken: true})
	if err != nil {
		log.Fatal(err)
	}
	for range 2 {
		report, err := tuiauth.PrepareHome(home, realHome)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(report.Mode, len(report.Created), "created,", len(report.Seeded), "seeded")
	}
	_, err = os.Stat(filepath.Join(home.Dir, ".claude", ".credentials.json"))
	fmt.Println("no login:", os.IsNotExist(err))
	// Output:
	// isolated 4 created, 6 seeded
	// isolated 0 created, 0 seeded
	// no login: true
}

func ExampleAudit() {
	dir, err := os.MkdirTemp("", "home")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	home := tuiauth.Home{Dir: dir, Mode: tuiauth.Isolated}
	env := append(tuiauth.Environ(nil, home, "dummy-token"), "ANTHROPIC_API_KEY=dummy-key")
	sources, err := tuiauth.Audit(home, dir, env)
	for _, s := range sources {
		if s.Present == tuiauth.Present {
			fmt.Printf("%s: wins: %v. %s.\n", s.Name, s.Wins, s.Fix)
		}
	}
	fmt.Println(errors.Is(err, tuiauth.ErrCredential))
	// Output:
	// ANTHROPIC_API_KEY in the environment: wins: true. do not add ANTHROPIC_API_KEY to the agent's environment.
	// CLAUDE_CODE_OAUTH_TOKEN in the environment: wins: false. .
	// true
}

func ExampleEnviron() {
	base := []string{"PATH=/usr/bin", "TZ=UTC", "ANTHROPIC_API_KEY=left-behind", "EDITOR=vi"}
	env := tuiauth.Environ(base, tuiauth.Home{Dir: "/srv/agent"}, "dummy-token")
	fmt.Println(strings.Join(env, "\n"))
	// Output:
	// PATH=/usr/bin
	// LANG=C.UTF-8
	// TZ=UTC
	// HOME=/srv/agent
	// CLAUDE_CODE_OAUTH_TOKEN=dummy-token
	// DISABLE_AUTOUPDATER=1
	// CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1
	// CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL=1
}
