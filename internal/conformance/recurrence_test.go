package conformance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/internal/standin"
	"github.com/tuiturn/tuiturn/tuiauth"
)

// The incident that the project exists for: the agent refreshed a login whose
// refresh token can be used once, a kill came between the use and the write, and
// from then on every turn answered 401. The logins below are how it left them.
var brokenLogins = map[string]string{
	"empty refresh token": `{"claudeAiOauth":{"accessToken":"sk-ant-oat01-dummy-stale","refreshToken":"","expiresAt":1000,"scopes":["user:inference"],"subscriptionType":"max"}}`,
	"stale access token":  staleLogin,
}

const staleLogin = `{"claudeAiOauth":{"accessToken":"sk-ant-oat01-dummy-stale","refreshToken":"sk-ant-ort01-dummy-single-use","expiresAt":1000,"scopes":["user:inference"],"subscriptionType":"max"}}`

// TestRecurrence runs turns beside such a login, with some killed at random, and
// then lets someone log in. Six turns for each version and login, 36 in all, or
// fifty for each version, login and terminal with TUITURN_LONG.
func TestRecurrence(t *testing.T) {
	t.Parallel()
	turns := 6
	if long() {
		turns = 50
	}
	names := slices.Sorted(maps.Keys(brokenLogins))
	forEach(t, func(t *testing.T, version string, terminal tuiturn.TerminalKind) {
		for i, name := range names {
			if !itsTurn(i, version, terminal) {
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				recur(t, newHost(t, version, terminal), brokenLogins[name], turns)
			})
		}
	})
}

func recur(t *testing.T, h *host, login string, turns int) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	proxy := startProxy(t)
	h.runner.Env = proxy.env()
	writeFile(t, filepath.Join(h.realHome, ".claude", ".credentials.json"), login)
	h.real = snapshot(t, h.realHome) // h.close compares

	work := h.workDir(t)
	completed, killed := 0, 0
	turn := func(n, fate int) {
		var exit *tuiturn.ExitError
		want := fmt.Sprintf("It is %d.", n)
		answer := say(want)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		switch fate {
		case 0: // the caller gives up, anywhere from the boot to the answer
			time.AfterFunc(time.Duration(rnd.Int64N(int64(3*time.Second))), cancel)
		case 1: // someone kills the agent while the model answers
			answer = func(standin.Request) standin.Reply {
				killAgents(t, h)
				return standin.Reply{Text: want}
			}
		}
		x := h.turn(t, ctx, tuiturn.Request{Prompt: fmt.Sprintf("What is %d?", n), WorkDir: work}, answer)
		switch {
		case x.err == nil && x.res.Text == want:
			completed++
		case x.err == nil:
			t.Errorf("turn %d answered %q", n, x.res.Text)
		case ctx.Err() == nil && !errors.As(x.err, &exit):
			t.Errorf("turn %d: %v", n, x.err)
		default:
			killed++
		}
		for _, r := range x.requests { // h.turn has looked at the credential
			if strings.Contains(r.Path, "oauth") {
				t.Errorf("turn %d: a request for %s", n, r.Path)
			}
		}
	}
	// A third of the turns meet an end, in a random order: with a fate at random, all six
	// would meet one in one of 700 runs.
	for n, fate := range rnd.Perm(turns) {
		turn(n, fate%6)
	}
	t.Logf("%d turns completed, %d were killed", completed, killed)
	if completed == 0 {
		t.Error("no turn was completed")
	}

	// Someone logs in, in either home.
	writeFile(t, filepath.Join(h.realHome, ".claude", ".credentials.json"), staleLogin)
	h.real = snapshot(t, h.realHome)
	writeFile(t, filepath.Join(h.home, ".claude", ".credentials.json"), staleLogin)
	for n := range 2 {
		before := completed
		turn(turns+n, -1)
		if completed == before {
			t.Error("a turn after the login was not completed")
		}
	}
	aside, err := os.ReadFile(filepath.Join(h.home, ".claude", ".credentials.json.aside-1"))
	if err != nil || string(aside) != staleLogin {
		t.Errorf("the login was not put aside as it was: %v", err)
	}
	if hosts := proxy.hosts(); len(hosts) > 0 {
		t.Errorf("the agent wanted to reach %v", hosts)
	}
}

// TestRefreshCanBeSeen shows that TestRecurrence can fail: an agent that has a
// login that ran out, and no token, asks for another one.
func TestRefreshCanBeSeen(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, version string, terminal tuiturn.TerminalKind) {
		if !itsTurn(0, version, terminal) {
			return
		}
		h := newHost(t, version, terminal)
		proxy := startProxy(t)
		own := filepath.Join(h.dir, "own")
		writeFile(t, filepath.Join(own, ".claude", ".credentials.json"), staleLogin)
		writeFile(t, filepath.Join(own, ".claude.json"), `{"hasCompletedOnboarding":true,"theme":"dark"}`)
		h.runner.Home = tuiauth.Home{Dir: own, RealHome: own, Mode: tuiauth.Real}
		h.runner.Token, h.runner.Env = "", proxy.env()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		proxy.onHost = func(string) { cancel() }
		ctx, stop := context.WithTimeout(ctx, time.Minute)
		defer stop()
		api := standin.Start(say("hello"))
		defer api.Close()
		h.runner.Turn(ctx, tuiturn.Request{Prompt: "Hello?", WorkDir: h.workDir(t), Env: []string{"ANTHROPIC_BASE_URL=" + api.URL}})
		if len(proxy.hosts()) == 0 {
			t.Error("nobody asked for a refresh")
		}
		t.Logf("wanted: %v", proxy.hosts())
	})
}

// killAgents kills the processes of h's turns, which no other host's are: their
// home is its own.
func killAgents(t *testing.T, h *host) {
	for _, pid := range withVariable("HOME=" + h.home) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && err != syscall.ESRCH {
			t.Error(err)
		}
	}
}

// A proxy lets nothing through and remembers where the agent wanted to go
// beside the stand-in. A refresh does not go to ANTHROPIC_BASE_URL.
type proxy struct {
	url    string
	onHost func(string)

	mu    sync.Mutex
	asked []string
}

func startProxy(t *testing.T) *proxy {
	p := &proxy{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.asked = append(p.asked, r.Host)
		p.mu.Unlock()
		if p.onHost != nil {
			p.onHost(r.Host)
		}
		http.Error(w, "the tests reach nothing", http.StatusBadGateway)
	}))
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

func (p *proxy) env() []string {
	return []string{"HTTPS_PROXY=" + p.url, "HTTP_PROXY=" + p.url, "NO_PROXY=127.0.0.1"}
}

func (p *proxy) hosts() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Compact(slices.Sorted(slices.Values(p.asked)))
}
