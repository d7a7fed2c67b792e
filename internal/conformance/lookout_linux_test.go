package conformance

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/tmuxctl/tmuxtest"
)

// promptMarker stands in every prompt whose way is watched.
var promptMarker = "prompt-marker-" + rand.Text()

// TestSecretsAreOnNoCommandLine runs turns while every command line of the
// machine is read as fast as can be, and tmux is asked for all it knows: one for
// each version and terminal, or 34 (204 in all) with TUITURN_LONG.
func TestSecretsAreOnNoCommandLine(t *testing.T) {
	turns := 1
	if long() {
		turns = 34
	}
	if os.Getenv("TUITURN_AGENTS") != "" {
		look := startLookout(token, promptMarker)
		t.Cleanup(func() { // when the turns, which run in parallel, are over
			scans, found := look.stop()
			for _, where := range found {
				t.Errorf("a secret on the command line of %s", where)
			}
			t.Logf("all command lines were read %d times", scans)
		})
	}
	forEach(t, func(t *testing.T, version string, terminal tuiturn.TerminalKind) {
		h := newHost(t, version, terminal)
		var log lockedBuffer
		h.runner.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		work := h.workDir(t)
		asked := 0
		for n := range turns {
			ctx, over := context.WithCancel(t.Context())
			listings := make(chan int)
			go func() { listings <- h.askTmux(t, ctx) }()
			want := fmt.Sprintf("It is %d.", n)
			x := h.turn(t, t.Context(), tuiturn.Request{
				Prompt: fmt.Sprintf("%s: what is %d?", promptMarker, n), WorkDir: work,
				Trace: &tuiturn.Trace{Submitted: func() { h.searchFiles(t) }},
			}, say(want))
			over()
			asked += <-listings
			if x.err != nil || x.res.Text != want {
				t.Errorf("turn %d: %q, %v", n, x.res.Text, x.err)
			}
		}
		if text := log.String(); text == "" || strings.Contains(text, token) || strings.Contains(text, promptMarker) {
			t.Errorf("the log is empty or has a secret in it: %s", text)
		}
		if terminal == tuiturn.Tmux && asked == 0 {
			t.Error("tmux was never asked")
		}
		t.Logf("tmux was asked %d times", asked)
	})
}

// listings are what a tmux server tells whoever may ask.
var listings = [][]string{
	{"list-panes", "-a", "-F", "#{pane_start_command} #{pane_current_command} #{pane_title} #{session_name} #{window_name}"},
	{"show-environment", "-g"},
	{"list-buffers", "-F", "#{buffer_name} #{buffer_sample}"},
	{"show-options", "-g"},
}

// askTmux asks the Runner's tmux servers until ctx ends and returns how often
// one has answered.
func (h *host) askTmux(t *testing.T, ctx context.Context) (answers int) {
	tmux, _ := exec.LookPath("tmux")
	for ctx.Err() == nil {
		sockets, _ := filepath.Glob(filepath.Join(h.temp, "*", "*", "s"))
		for _, socket := range sockets {
			questions := slices.Clone(listings)
			ids, _ := tmuxClient(tmux, socket, "list-sessions", "-F", "#{session_id}")
			for id := range strings.FieldsSeq(ids) {
				questions = append(questions, []string{"show-environment", "-t", id})
			}
			for _, question := range questions {
				out, err := tmuxClient(tmux, socket, question...)
				if err != nil {
					continue // it starts or ends
				}
				answers++
				if strings.Contains(out, token) || strings.Contains(out, promptMarker) {
					t.Errorf("tmux %q tells a secret", question)
				}
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
	return answers
}

func tmuxClient(tmux, socket string, args ...string) (string, error) {
	cmd := exec.Command(tmux, append([]string{"-u", "-f", "/dev/null", "-S", socket}, args...)...)
	cmd.Env, cmd.WaitDelay = []string{"LANG=C.UTF-8"}, time.Second
	out, err := cmd.Output()
	return string(out), err
}

// searchFiles looks through the Runner's directory for a secret. The agent has
// started by then; its own home keeps its transcripts, prompts included.
func (h *host) searchFiles(t *testing.T) {
	err := filepath.WalkDir(h.temp, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			if errors.Is(err, fs.ErrNotExist) {
				err = nil // the agent's own
			}
			return err
		}
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if bytes.Contains(content, []byte(token)) || bytes.Contains(content, []byte(promptMarker)) {
			t.Errorf("a secret stands in the file %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestLookoutSeesALeak points the same look-outs at starts that leak, one of them
// in a process that lives for some 3 ms.
func TestLookoutSeesALeak(t *testing.T) {
	tmux := tmuxtest.New(t)
	look := startLookout(token, promptMarker)
	starts := 0
	for ; starts < 500 && len(look.sightings()) == 0; starts++ {
		// The client's command line, and nothing that stays.
		_, err := tmux.Tmux(t.Context(), "new-session", "-d", "-e", "T="+token, "-s", fmt.Sprint("leaky-", starts), "/bin/sh", "-c", "read x")
		must(t, err)
	}
	if _, found := look.stop(); len(found) == 0 {
		t.Error("the token on the command line of a tmux client was not seen")
	}
	t.Logf("seen within %d starts", starts)

	look = startLookout(token, promptMarker)
	_, err := tmux.Tmux(t.Context(), "new-session", "-d", "-s", "leaky", "/bin/sh", "-c", "read x", promptMarker)
	must(t, err)
	for late := time.After(10 * time.Second); len(look.sightings()) == 0; {
		select {
		case <-late:
			t.Fatal("the prompt on the command line of a pane was not seen")
		case <-time.After(time.Millisecond):
		}
	}
	look.stop()

	_, err = tmux.Tmux(t.Context(), "set-environment", "-g", "T", token, ";", "set-buffer", promptMarker, ";", "set-option", "-g", "@t", token)
	must(t, err)
	for _, question := range append(listings, []string{"show-environment", "-t", "=leaky-0"}) {
		out, err := tmux.Tmux(t.Context(), question...)
		must(t, err)
		if !strings.Contains(string(out), token) && !strings.Contains(string(out), promptMarker) {
			t.Errorf("tmux %q does not tell what leaked: %q", question, out)
		}
	}
}

// A lookout reads the command lines of all processes, over and over.
type lookout struct {
	texts   [][]byte
	quit    chan struct{}
	ended   chan struct{}
	scans   int
	mu      sync.Mutex
	where   []string
	already map[string]bool
}

func startLookout(texts ...string) *lookout {
	l := &lookout{quit: make(chan struct{}), ended: make(chan struct{}), already: make(map[string]bool)}
	for _, s := range texts {
		l.texts = append(l.texts, []byte(s))
	}
	go func() {
		defer close(l.ended)
		buf := make([]byte, 256<<10) // more than one argument may have
		for {
			select {
			case <-l.quit:
				return
			default:
				l.scan(buf)
			}
		}
	}()
	return l
}

func (l *lookout) scan(buf []byte) {
	dir, err := os.Open("/proc")
	if err != nil {
		return
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		if name[0] < '0' || name[0] > '9' {
			continue
		}
		fd, err := unix.Open("/proc/"+name+"/cmdline", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		n, _ := unix.Read(fd, buf)
		unix.Close(fd)
		for _, text := range l.texts {
			if n > 0 && bytes.Contains(buf[:n], text) {
				l.sighted(name, buf[:n])
			}
		}
	}
	l.scans++
}

func (l *lookout) sighted(pid string, cmdline []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if where := fmt.Sprintf("%s %q", pid, cmdline[:min(200, len(cmdline))]); !l.already[pid] {
		l.already[pid] = true
		l.where = append(l.where, where)
	}
}

func (l *lookout) sightings() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.where)
}

func (l *lookout) stop() (scans int, found []string) {
	close(l.quit)
	<-l.ended
	return l.scans, l.where
}

// A lockedBuffer may be written by several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
