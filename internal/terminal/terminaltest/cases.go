package terminaltest

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tuiturn/tuiturn/internal/terminal"
)

var cases = []struct {
	name string
	run  func(t *testing.T, s *suite)
}{
	{"gives the program exactly the environment asked for", environment},
	{"gives the program its arguments byte for byte", arguments},
	{"starts the program in the working directory", directories},
	{"gives the program the size asked for and a terminal of its own", size},
	{"gives the program the size back that another one has changed", resized},
	{"has the program draw its screen anew", redraws},
	{"delivers a paste byte for byte", pastes},
	{"puts no brackets around a paste that the program has not asked them for", plainPaste},
	{"refuses a paste that would end itself", pasteEndRefused},
	{"does nothing for an empty paste", emptyPaste},
	{"sends keys as a terminal does", keys},
	{"refuses an unknown key and sends nothing", unknownKey},
	{"shows the screen as text", screenText},
	{"follows the cursor and clears", screenMoves},
	{"reports how the program ended", statuses},
	{"reports the end while a child holds the terminal", orphan},
	{"ends everything the program has started", family},
	{"can be closed twice, and by several at once", closeTwice},
	{"can be closed after the program has ended", closeEnded},
	{"ends a stopped program", closeStopped},
	{"honours a context that has ended", cancelled},
	{"says what cannot be started", badStarts},
	{"has no core file written", noCore},
	{"fails with os.ErrProcessDone after the end", afterEnd},
	{"runs twenty at once", twenty},
	{"survives endless output", flood},
}

func environment(t *testing.T, s *suite) {
	want := []string{
		"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "EMPTY=", "SPACES= a  b ",
		`QUOTES='"\`, "COMMAND=$(touch pwned) `id` $HOME", "LINES=a\nb\n", "EMOJI=👍", "EQUALS=a=b",
	}
	for _, term := range []string{"", "TERM=screen-256color"} {
		cfg := config(t, "report")
		file := filepath.Join(cfg.Dir, "report")
		cfg.Args = append(cfg.Args, file)
		cfg.Env = slices.Clone(want)
		if term != "" {
			cfg.Env = append(cfg.Env, term)
		}
		s.open(t, cfg)
		var r report
		load(t, file, &r)

		var got []string
		for _, kv := range r.Env {
			name, _, _ := strings.Cut(string(kv), "=")
			added := name == "TMUX" || name == "TMUX_PANE" || name == "TUITURN_SESSION" ||
				name == "TERM" && term == ""
			if !added {
				got = append(got, string(kv))
			}
		}
		wanted := slices.Clone(cfg.Env)
		slices.Sort(got)
		slices.Sort(wanted)
		if !slices.Equal(got, wanted) {
			t.Errorf("environment:\n got %q\nwant %q", got, wanted)
		}
		if term == "" && !slices.ContainsFunc(r.Env, func(kv []byte) bool { return bytes.HasPrefix(kv, []byte("TERM=")) }) {
			t.Error("TERM was not added where it was absent")
		}
	}
}

func arguments(t *testing.T, s *suite) {
	want := []string{
		"plain", "", " two  spaces ", `'single' "double" \back\\`, "$(touch pwned) `id` $HOME ${X}",
		"a\nb\n", "\ttab", "*?[a-z]", "#{pane_id} #(id)", ";", "trailing;", "-flag", "--", "\xff\xfe", "👍 é", "!x",
	}
	cfg := config(t, "report")
	file := filepath.Join(cfg.Dir, "report")
	cfg.Args = append(append(cfg.Args, file), want...)
	s.open(t, cfg)
	var r report
	load(t, file, &r)
	got := make([]string, len(r.Args))
	for i, a := range r.Args {
		got[i] = string(a)
	}
	if !slices.Equal(got, want) {
		t.Errorf("arguments:\n got %q\nwant %q", got, want)
	}
}

func directories(t *testing.T, s *suite) {
	for _, name := range []string{"plain", " two  spaces ", `it's "quoted" \`, "$(id) `id` $HOME", "日本 é 👍", "#{pane_id};"} {
		cfg := config(t, "report")
		file := filepath.Join(cfg.Dir, "report")
		// The system's temporary directory may be a link, as on macOS.
		root, err := filepath.EvalSymlinks(cfg.Dir)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Args = append(cfg.Args, file)
		cfg.Dir = filepath.Join(root, name)
		if err := os.Mkdir(cfg.Dir, 0o700); err != nil {
			t.Fatal(err)
		}
		s.open(t, cfg)
		var r report
		load(t, file, &r)
		if r.Dir != cfg.Dir {
			t.Errorf("working directory: got %q, want %q", r.Dir, cfg.Dir)
		}
	}
}

func size(t *testing.T, s *suite) {
	for _, c := range []struct{ cols, rows, wantCols, wantRows int }{
		{0, 0, 120, 40}, {80, 24, 80, 24}, {200, 50, 200, 50},
	} {
		cfg := config(t, "report")
		file := filepath.Join(cfg.Dir, "report")
		cfg.Args = append(cfg.Args, file)
		cfg.Cols, cfg.Rows = c.cols, c.rows
		s.open(t, cfg)
		var r report
		load(t, file, &r)
		if r.Cols != c.wantCols || r.Rows != c.wantRows {
			t.Errorf("size for %d by %d: got %d by %d, want %d by %d", c.cols, c.rows, r.Cols, r.Rows, c.wantCols, c.wantRows)
		}
		if !r.Leader {
			t.Error("the program does not lead its session in the terminal's foreground")
		}
	}
}

// resized checks that Screen restores a size that a program has changed (stty).
func resized(t *testing.T, s *suite) {
	see(t, s.open(t, config(t, "shrink")), "small and large")
}

// redraws checks that a program learns of another size, and has the old one at the end. A
// program that gets no processor meanwhile sees no change, so it is asked again.
func redraws(t *testing.T, s *suite) {
	term := s.open(t, config(t, "redraw"))
	see(t, term, "80")
	poll(t, "a narrower terminal", func() bool {
		if err := term.Redraw(t.Context()); err != nil {
			t.Fatal(err)
		}
		screen, err := term.Screen(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(screen, "79")
	})
	see(t, term, "80 79 80")
}

// receive pastes or types into a program in raw mode and checks the input that the program
// got.
func (s *suite) receive(t *testing.T, setup, want string, send func(terminal.Terminal) error) {
	t.Helper()
	cfg := config(t, "receive")
	file := filepath.Join(cfg.Dir, "received")
	cfg.Args = append(cfg.Args, file, strconv.Itoa(len(want)), setup)
	term := s.open(t, cfg)
	see(t, term, "ready")
	if err := send(term); err != nil {
		t.Fatal(err)
	}
	var got []byte
	load(t, file, &got)
	if string(got) != want {
		i := 0
		for i < len(got) && got[i] == want[i] {
			i++
		}
		t.Errorf("received differs from byte %d of %d on: got %.40q, want %.40q", i, len(want), got[i:], want[i:])
	}
}

const bracketedOn = "\x1b[?2004h"

func paste(t *testing.T, text string) func(terminal.Terminal) error {
	return func(term terminal.Terminal) error { return term.Paste(t.Context(), []byte(text)) }
}

func pastes(t *testing.T, s *suite) {
	const exact = "tab\there, CR\rLF\nCRLF\r\n, emoji 👍🏽, controls \x00\x01\x03\x04\x11\x13\x1a\x1c\x7f\x1b[A, \xff\xfe, trailing;\n"
	texts := map[string]string{"controls": exact}
	for _, n := range []int{1, 2, 1 << 10, 4 << 10, 100 << 10, 1 << 20} {
		texts[fmt.Sprint(n, " bytes")] = strings.Repeat("0123456789abcde\n", n/16+1)[:n]
	}
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			s.receive(t, bracketedOn, "\x1b[200~"+text+"\x1b[201~", paste(t, text))
		})
	}
}

func plainPaste(t *testing.T, s *suite) {
	s.receive(t, "", "one\ntwo\r.", paste(t, "one\ntwo\r."))
	s.receive(t, bracketedOn+"\x1b[?2004l", "three\n.", paste(t, "three\n."))
}

func pasteEndRefused(t *testing.T, s *suite) {
	s.receive(t, bracketedOn, "a", func(term terminal.Terminal) error {
		if err := term.Paste(t.Context(), []byte("x\x1b[201~y")); err == nil {
			t.Error("a paste that holds the end mark was accepted")
		}
		return term.SendKeys(t.Context(), "a")
	})
}

func emptyPaste(t *testing.T, s *suite) {
	s.receive(t, bracketedOn, "a", func(term terminal.Terminal) error {
		if err := term.Paste(t.Context(), nil); err != nil {
			t.Errorf("an empty paste: %v", err)
		}
		return term.SendKeys(t.Context(), "a")
	})
}

func keys(t *testing.T, s *suite) {
	names := []string{"Enter", "Escape", "Tab", "Up", "Down", "Right", "Left", "BSpace", "a", "Z", "é", "日", "-", ";", "$", "'"}
	want := "\r\x1b\t\x1b[A\x1b[B\x1b[C\x1b[D\x7faZé日-;$'"
	for c := 'a'; c <= 'z'; c++ {
		names = append(names, "C-"+string(c))
		want += string(c - 'a' + 1)
	}
	send := func(term terminal.Terminal) error { return term.SendKeys(t.Context(), names...) }
	s.receive(t, "", want, send)
	s.receive(t, "\x1b[?1h", "\x1bOA\x1bOD", func(term terminal.Terminal) error {
		return term.SendKeys(t.Context(), "Up", "Left")
	})
}

func unknownKey(t *testing.T, s *suite) {
	s.receive(t, "", "b", func(term terminal.Terminal) error {
		for _, key := range []string{"NoSuchKey", "", "C-", "\x01", "\xff"} {
			err := term.SendKeys(t.Context(), "a", key)
			if err == nil {
				t.Errorf("key %q was accepted", key)
			} else if key == "NoSuchKey" && !strings.Contains(err.Error(), key) {
				t.Errorf("the error does not name the key: %v", err)
			}
		}
		return term.SendKeys(t.Context(), "b")
	})
}

func screenText(t *testing.T, s *suite) {
	cfg := config(t, "print", "plain\r\nA日本B\r\n👍x\r\nno\u00a0break\u00a0\r\n  indented  \r\n\x1b[1;31mred\x1b[0m.\r\nend")
	cfg.Rows = 10
	got := see(t, s.open(t, cfg), "end")
	want := "plain\nA日本B\n👍x\nno\u00a0break\u00a0\n  indented\nred.\nend\n\n\n\n"
	if got != want {
		t.Errorf("screen:\n got %q\nwant %q", got, want)
	}
}

func screenMoves(t *testing.T, s *suite) {
	cfg := config(t, "print", "one\r\ntwo\x1b[2Kgone\x1b[2J\x1b[Htop\x1b[3;5Hmiddle\x1b[3;8HDD\x1b[K\x1b[5;1Hend")
	cfg.Rows = 5
	got := see(t, s.open(t, cfg), "end")
	if want := "top\n\n    midDD\n\nend\n"; got != want {
		t.Errorf("screen:\n got %q\nwant %q", got, want)
	}

	var lines []string
	for i := range 100 {
		lines = append(lines, fmt.Sprint("line ", i))
	}
	cfg = config(t, "print", strings.Join(lines, "\r\n"))
	cfg.Rows = 5
	got = see(t, s.open(t, cfg), "line 99")
	if want := "line 95\nline 96\nline 97\nline 98\nline 99\n"; got != want {
		t.Errorf("screen after scrolling:\n got %q\nwant %q", got, want)
	}
}

func statuses(t *testing.T, s *suite) {
	for _, code := range []int{0, 7} {
		status := end(t, s.open(t, config(t, "exit", strconv.Itoa(code))))
		if !status.Exited() || status.ExitStatus() != code {
			t.Errorf("exit %d was reported as %#x", code, status)
		}
	}
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGSEGV, syscall.SIGTERM} {
		status := end(t, s.open(t, config(t, "signal", strconv.Itoa(int(sig)))))
		if !status.Signaled() || status.Signal() != sig {
			t.Errorf("%v was reported as %#x", sig, status)
		}
	}
}

func orphan(t *testing.T, s *suite) {
	cfg := config(t, "orphan")
	file := filepath.Join(cfg.Dir, "pids")
	cfg.Args = append(cfg.Args, file)
	term := s.open(t, cfg)
	var pids []int
	load(t, file, &pids)
	if status := end(t, term); status.ExitStatus() != 7 {
		t.Errorf("exit 7 was reported as %#x", status)
	}
	if err := shut(term); err != nil {
		t.Fatal(err)
	}
	gone(t, pids...)
}

func family(t *testing.T, s *suite) {
	cfg := config(t, "family")
	file := filepath.Join(cfg.Dir, "pids")
	cfg.Args = append(cfg.Args, file)
	term := s.open(t, cfg)
	var pids []int
	load(t, file, &pids)
	if err := shut(term); err != nil {
		t.Fatal(err)
	}
	gone(t, append(pids, term.Pid())...)
	if status := end(t, term); !status.Signaled() || status.Signal() != syscall.SIGKILL {
		t.Errorf("a program that had to be killed ended with %#x", status)
	}
}

func closeTwice(t *testing.T, s *suite) {
	term := s.open(t, config(t, "print", "up"))
	see(t, term, "up")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if err := shut(term); err != nil {
				t.Errorf("one of several: %v", err)
			}
			gone(t, term.Pid())
		})
	}
	all.Wait()
	end(t, term)
	if err := shut(term); err != nil {
		t.Errorf("once more: %v", err)
	}
}

func closeEnded(t *testing.T, s *suite) {
	term := s.open(t, config(t, "exit", "3"))
	end(t, term)
	if err := shut(term); err != nil {
		t.Error(err)
	}
	if status := term.Status(); status.ExitStatus() != 3 {
		t.Errorf("after Close the status is %#x", status)
	}
}

func closeStopped(t *testing.T, s *suite) {
	term := s.open(t, config(t, "print", "up"))
	see(t, term, "up")
	if err := syscall.Kill(term.Pid(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := term.Close(ctx); err != nil {
		t.Fatal(err)
	}
	gone(t, term.Pid())
	end(t, term)
}

func cancelled(t *testing.T, s *suite) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.receive(t, "", "a", func(term terminal.Terminal) error {
		_, err := term.Screen(ctx)
		wantIs(t, "Screen", err, context.Canceled)
		wantIs(t, "Paste", term.Paste(ctx, []byte("paste")), context.Canceled)
		wantIs(t, "SendKeys", term.SendKeys(ctx, "k"), context.Canceled)
		return term.SendKeys(t.Context(), "a")
	})

	// Close has no time for SIGHUP and must still end the program.
	cfg := config(t, "family")
	file := filepath.Join(cfg.Dir, "pids")
	cfg.Args = append(cfg.Args, file)
	term := s.open(t, cfg)
	var pids []int
	load(t, file, &pids)
	if err := term.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
	gone(t, append(pids, term.Pid())...)
}

// noCore checks that the program's core limit is 0 and stays 0, whatever the host's limit
// is.
func noCore(t *testing.T, s *suite) {
	var limit, none unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Max == 0 {
		t.Skip("this process may write no core files either: raise its hard limit (ulimit -H -c)")
	}
	// The programs of other tests may get it too: those that crash lower it.
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: limit.Max, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_CORE, &limit)
	cfg := config(t, "limits")
	file := filepath.Join(cfg.Dir, "limits")
	cfg.Args = append(cfg.Args, file)
	s.open(t, cfg)
	got := unix.Rlimit{Cur: 1, Max: 1}
	load(t, file, &got)
	if got != none {
		t.Errorf("the core file's limits are %d and %d", got.Cur, got.Max)
	}
}

func badStarts(t *testing.T, s *suite) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing")
	for _, c := range []struct {
		name   string
		change func(*terminal.Config)
		path   string
		is     error
	}{
		{"missing program", func(c *terminal.Config) { c.Path = missing }, missing, fs.ErrNotExist},
		{"program that may not be executed", func(c *terminal.Config) { c.Path = plain }, plain, fs.ErrPermission},
		{"directory as program", func(c *terminal.Config) { c.Path = dir }, dir, fs.ErrPermission},
		{"missing directory", func(c *terminal.Config) { c.Dir = missing }, missing, fs.ErrNotExist},
		{"file as directory", func(c *terminal.Config) { c.Dir = plain }, plain, syscall.ENOTDIR},
	} {
		cfg := config(t, "exit", "0")
		c.change(&cfg)
		began := time.Now()
		term, err := s.start(t, cfg)
		if err == nil {
			shut(term)
			t.Errorf("%s: started", c.name)
			continue
		}
		wantIs(t, c.name, err, c.is)
		if !strings.Contains(err.Error(), c.path) {
			t.Errorf("%s: the error does not name %s: %v", c.name, c.path, err)
		}
		if took := time.Since(began); took > patience {
			t.Errorf("%s: reported after %v", c.name, took)
		}
	}
}

func afterEnd(t *testing.T, s *suite) {
	term := s.open(t, config(t, "last", "famous last words"))
	end(t, term)
	for range 2 { // before and after Close
		wantIs(t, "SendKeys", term.SendKeys(t.Context(), "a"), os.ErrProcessDone)
		wantIs(t, "Paste", term.Paste(t.Context(), []byte("a")), os.ErrProcessDone)
		wantIs(t, "Redraw", term.Redraw(t.Context()), os.ErrProcessDone)
		// A terminal that outlives its program still shows the last screen.
		if text, err := term.Screen(t.Context()); err != nil {
			wantIs(t, "Screen", err, os.ErrProcessDone)
		} else if !strings.HasPrefix(text, "famous last words\n") {
			t.Errorf("the last screen is not complete: %q", text)
		}
		if err := shut(term); err != nil {
			t.Fatal(err)
		}
	}
}

func twenty(t *testing.T, s *suite) {
	var all sync.WaitGroup
	for i := range 20 {
		term := s.open(t, config(t, "print", fmt.Sprintf("I am %d.", i)))
		all.Go(func() {
			want := fmt.Sprintf("I am %d.", i)
			deadline := time.Now().Add(patience)
			for {
				text, err := term.Screen(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				if strings.Contains(text, want) {
					break
				}
				if time.Now().After(deadline) {
					t.Errorf("terminal %d never showed %q: %q", i, want, text)
					return
				}
				time.Sleep(5 * time.Millisecond)
			}
			if err := shut(term); err != nil {
				t.Error(err)
			}
			gone(t, term.Pid())
		})
	}
	all.Wait()
}

func flood(t *testing.T, s *suite) {
	term := s.open(t, config(t, "flood"))
	see(t, term, "y\ny\ny\n")
	for range 5 {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if _, err := term.Screen(ctx); err != nil {
			t.Errorf("the screen of a program that does not stop: %v", err)
		}
		cancel()
	}
	if err := shut(term); err != nil {
		t.Fatal(err)
	}
	gone(t, term.Pid())
}
