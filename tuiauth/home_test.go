package tuiauth

import (
	"testing"

	"github.com/matryer/is"
)

func TestResolveHome(t *testing.T) {
	for name, c := range map[string]struct {
		config HomeConfig
		want   Home
	}{
		"real":                     {HomeConfig{RealHome: "/r"}, Home{Dir: "/r", RealHome: "/r", Mode: Real}},
		"token":                    {HomeConfig{RealHome: "/r", EnvToken: true}, Home{Dir: "/r/.tuiturn/home", RealHome: "/r", Mode: Isolated}},
		"configured, token":        {HomeConfig{RealHome: "/r", Configured: "/c", EnvToken: true}, Home{Dir: "/c", RealHome: "/r", Mode: Isolated}},
		"configured":               {HomeConfig{RealHome: "/r", Configured: "/c"}, Home{Dir: "/c", RealHome: "/r", Mode: Linked}},
		"configured is real":       {HomeConfig{RealHome: "/r", Configured: "/r"}, Home{Dir: "/r", RealHome: "/r", Mode: Real}},
		"configured is real,token": {HomeConfig{RealHome: "/r/", Configured: "/x/../r", EnvToken: true}, Home{Dir: "/r", RealHome: "/r", Mode: Real}},
		"no real home":             {HomeConfig{Configured: "/c", EnvToken: true}, Home{Dir: "/c", RealHome: "", Mode: Isolated}},
		"odd names":                {HomeConfig{RealHome: `/r '"é`, EnvToken: true}, Home{Dir: `/r '"é/.tuiturn/home`, RealHome: `/r '"é`, Mode: Isolated}},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			got, err := ResolveHome(c.config)
			is.NoErr(err)
			is.Equal(got, c.want)
		})
	}
}

func TestResolveHomeRefuses(t *testing.T) {
	for name, c := range map[string]HomeConfig{
		"zero":                      {},
		"token without a home":      {EnvToken: true},
		"configured without either": {Configured: "/c"},
		"relative real home":        {RealHome: "r"},
		"tilde":                     {RealHome: "/r", Configured: "~/c"},
		"relative":                  {RealHome: "/r", Configured: "c"},
		"NUL":                       {RealHome: "/r", Configured: "/c\x00"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			got, err := ResolveHome(c)
			is.True(err != nil)
			is.Equal(got, Home{})
		})
	}
}

func TestModeString(t *testing.T) {
	is := is.New(t)
	is.Equal(Real.String(), "real")
	is.Equal(Isolated.String(), "isolated")
	is.Equal(Linked.String(), "linked")
	is.Equal(Mode(9).String(), "Mode(9)")
}

func TestWhy(t *testing.T) {
	is := is.New(t)
	is.Equal(Home{Dir: "/h", RealHome: "/r", Mode: Isolated}.Why(), `isolated home "/h": the token in the environment is the only credential, and nothing is refreshed`)
	is.Equal(Home{Dir: "/h", RealHome: "/r", Mode: Linked}.Why(), `linked home "/h": no token was given, so the login of "/r" is used through a link, and a turn that is ended during a refresh can lose that login`)
	is.Equal(Home{Dir: "/r", RealHome: "/r", Mode: Real}.Why(), `real home "/r": the agent uses the operator's own files, and without a token the operator's login`)
	is.Equal(Home{}.Why(), "no home: get one from ResolveHome")
	is.Equal(Home{Dir: "/h", RealHome: "/r", Mode: Mode(9)}.Why(), "no home: get one from ResolveHome")
}
