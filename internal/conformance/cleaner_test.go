package conformance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/internal/cleaner"
	"github.com/tuiturn/tuiturn/internal/standin"
)

// moments are when the cleaner comes.
var moments = []string{"before", "booting", "ready", "delivered", "submitted", "asked", "answering", "done"}

// TestCleaner runs turns while a cleaner of temporary files removes a random part
// of the Runner's TempDir: 12 on the newest version, or on each 200 with
// TUITURN_LONG, half of them over each terminal. TUITURN_SEED repeats a run.
func TestCleaner(t *testing.T) {
	t.Parallel()
	turns := 6
	if long() {
		turns = 100
	}
	if n, err := strconv.Atoi(os.Getenv("TUITURN_TURNS")); err == nil {
		turns = n
	}
	newest := len(versions()) - 1
	forEach(t, func(t *testing.T, version string, terminal tuiturn.TerminalKind) {
		if !long() && version != versions()[newest] {
			return
		}
		seed, err := strconv.ParseUint(os.Getenv("TUITURN_SEED"), 10, 64)
		if err != nil {
			seed = rand.Uint64()
		}
		t.Logf("TUITURN_SEED=%d", seed)
		c := &cleaning{host: newHost(t, version, terminal), r: rand.New(rand.NewPCG(seed, uint64(len(terminal))))}
		c.work = c.workDir(t)
		if x := c.ask(t, 0, false, nil, func() {}); x.err != nil { // there is something to remove
			t.Fatal(x.err)
		}
		for i := range turns {
			c.cleaned(t, i)
		}
		t.Logf("%d turns: %d right, %d errors that tell of the cleaner, %d more requests than needed", turns, c.right, c.told, c.extra)
		for _, text := range slices.Sorted(maps.Keys(c.errors)) {
			t.Logf("%4d times: %s", c.errors[text], text)
		}
	})
}

// TestTempDirEmptied empties the Runner's TempDir while a tool runs. 2.1.330 and
// 2.1.332 make their TMPDIR anew, and everything above it: that is not the Runner's
// directory any more.
func TestTempDirEmptied(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, version string, terminal tuiturn.TerminalKind) {
		// A question that comes after the removal cannot be reported.
		c := &cleaning{host: newHost(t, version, terminal), tool: "ls"}
		c.work = c.workDir(t)
		anew := false
		x := c.ask(t, 1, true, &tuiturn.Trace{Done: func() {
			names, _ := os.ReadDir(c.temp)
			anew = len(names) > 0
		}}, func() {
			time.Sleep(100 * time.Millisecond)
			names, err := os.ReadDir(c.temp)
			if err != nil || len(names) != 1 {
				t.Errorf("TempDir has %v, %v", names, err)
			}
			for _, n := range names {
				if err := os.RemoveAll(filepath.Join(c.temp, n.Name())); err != nil {
					t.Error(err)
				}
			}
		})
		t.Logf("made anew: %v; %q, %v", anew, x.res.Text, x.err)
		if x.err != nil || x.res.Text != wantNumber(1) {
			t.Errorf("the turn: %q, %v", x.res.Text, x.err)
		}
		for i := range 2 {
			if x := c.ask(t, i, false, nil, func() {}); x.err != nil || x.res.Text != wantNumber(i) || len(x.asked()) != 1 {
				t.Errorf("turn %d after it: %q, asked %d times, %v", i+1, x.res.Text, len(x.asked()), x.err)
			}
		}
	})
}

// A cleaning is a host whose temporary files are cleaned away.
type cleaning struct {
	*host
	r    *rand.Rand
	work string
	tool string // a command; empty: one that is asked about

	right, told, extra int
	errors             map[string]int
}

// cleaned runs turn number i, which is to be right or to tell of the cleaner.
func (c *cleaning) cleaned(t *testing.T, i int) {
	when, late := moments[c.r.IntN(len(moments))], time.Duration(c.r.IntN(300))*time.Millisecond
	withTool := c.r.IntN(3) == 0
	var cleaning sync.WaitGroup
	what := ""
	clean := func(now string) func() {
		return func() {
			if now != when {
				return
			}
			if now == "before" {
				what = cleaner.Clean(c.r, c.temp)
				return
			}
			cleaning.Go(func() {
				time.Sleep(late)
				what = cleaner.Clean(c.r, c.temp)
			})
		}
	}
	clean("before")()
	x := c.ask(t, i, withTool, &tuiturn.Trace{
		Booting: clean("booting"), Ready: clean("ready"), Delivered: clean("delivered"), Submitted: clean("submitted"),
		Answering: clean("answering"), Done: clean("done"),
	}, clean("asked"))
	cleaning.Wait()
	needed := 1
	if withTool {
		needed = 2
	}
	at := fmt.Sprintf("turn %d, tool %v, at %q + %v, took %s", i, withTool, when, late, what)
	if extra := len(x.asked()) - needed; extra > 0 {
		if c.extra += extra; extra > 2 {
			t.Errorf("%s: asked %d times, needs %d", at, len(x.asked()), needed)
		}
	}
	if x.err == nil {
		if x.res.Text != wantNumber(i) {
			t.Errorf("%s: %q", at, x.res.Text)
		}
		c.right++
		return
	}
	if s := x.err.Error(); strings.Contains(s, "cleaner") && strings.Contains(s, c.temp) {
		if c.errors == nil {
			c.errors = make(map[string]int)
		}
		c.told++
		c.errors[generic(s)]++
		t.Logf("%s: %v", at, x.err)
	} else {
		t.Errorf("%s: %v\n%s", at, x.err, screenOf(x.err))
	}
	if x := c.ask(t, i, false, nil, func() {}); x.err != nil || x.res.Text != wantNumber(i) {
		t.Errorf("%s: the turn after it: %q, %v", at, x.res.Text, x.err)
	}
}

func wantNumber(i int) string { return fmt.Sprintf("It is %d.", i) }

func (c *cleaning) ask(t *testing.T, i int, tool bool, trace *tuiturn.Trace, asked func()) exchange {
	t.Helper()
	once := sync.OnceFunc(asked)
	command := c.tool
	if command == "" {
		command = "echo hello >made"
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	return c.turn(t, ctx, tuiturn.Request{
		Prompt: fmt.Sprintf("What is %d?", i), WorkDir: c.work, Trace: trace,
		OnPermission: func(context.Context, tuiturn.PermissionRequest) (tuiturn.Decision, error) {
			return tuiturn.Decision{Verdict: tuiturn.AllowOnce}, nil
		},
	}, func(r standin.Request) standin.Reply {
		once()
		if tool && len(r.ToolResults()) == 0 {
			return standin.Reply{Delay: 200 * time.Millisecond, Tools: []standin.ToolUse{{Name: "Bash", Input: map[string]any{"command": command, "description": "make"}}}}
		}
		return standin.Reply{Delay: 300 * time.Millisecond, Text: wantNumber(i)}
	})
}

// screenOf is the screen that an error comes with.
func screenOf(err error) string {
	if e, ok := errors.AsType[*tuiturn.Error](err); ok {
		return e.Screen
	}
	return ""
}

// generic is an error without what differs from turn to turn.
func generic(s string) string {
	words := strings.Fields(s)
	for i, w := range words {
		if strings.Contains(w, "/") {
			words[i] = "PATH/" + filepath.Base(w)
		}
	}
	return strings.Join(words, " ")
}
