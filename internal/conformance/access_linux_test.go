package conformance

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tuiturn/tuiturn"
)

// TestRealHomeIsNotOpened traces an isolated turn: nothing in the operator's home
// is opened, by us or by the agent, whose environment has the agent's home only.
func TestRealHomeIsNotOpened(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, version string, terminal tuiturn.TerminalKind) {
		h := newHost(t, version, terminal)
		// The usual place for a working directory is below it.
		work := filepath.Join(h.realHome, "src", "p")
		must(t, os.MkdirAll(work, 0o700))
		for _, name := range []string{"CLAUDE.md", ".claude/CLAUDE.md", ".claude/rules/x.md", ".claude/skills/x/SKILL.md", ".claude/settings.json", ".mcp.json"} {
			writeFile(t, filepath.Join(h.realHome, name), "{}")
		}
		h.real = snapshot(t, h.realHome)
		trace := traceOpens(t, h.realHome, work)
		x := h.turn(t, t.Context(), tuiturn.Request{Prompt: "Hello?", WorkDir: work}, say("hello"))
		if x.err != nil {
			t.Error(x.err)
		}
		if opened := trace(); len(opened) > 0 {
			t.Errorf("opened in the operator's home: %q", opened)
		}
		// The trace can see.
		if _, err := os.ReadFile(filepath.Join(h.realHome, ".claude", ".credentials.json")); err != nil {
			t.Error(err)
		}
		if opened := trace(); len(opened) != 1 || !strings.Contains(opened[0], "/.credentials.json ") {
			t.Errorf("the trace saw %q of one file read", opened)
		}
	})
}

// traceOpens watches dir and all directories below it but one. The function
// returned gives what has been opened or changed since it was last called.
func traceOpens(t *testing.T, dir, except string) func() []string {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	must(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	dirs := make(map[int]string)
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() || path == except {
			return err
		}
		watch, err := unix.InotifyAddWatch(fd, path, unix.IN_OPEN|unix.IN_MODIFY|unix.IN_ATTRIB|unix.IN_CREATE|unix.IN_DELETE|unix.IN_MOVE)
		dirs[watch] = path
		return err
	}))
	buf := make([]byte, 64<<10)
	opened := func() (all []string) {
		for {
			n, err := unix.Read(fd, buf)
			if err != nil {
				return all // EAGAIN: there are no more
			}
			for at := 0; at < n; {
				ev := (*unix.InotifyEvent)(unsafe.Pointer(&buf[at]))
				name := strings.TrimRight(string(buf[at+unix.SizeofInotifyEvent:at+unix.SizeofInotifyEvent+int(ev.Len)]), "\x00")
				if path := filepath.Join(dirs[int(ev.Wd)], name); path != except {
					all = append(all, fmt.Sprintf("%s %#x", path, ev.Mask))
				}
				at += unix.SizeofInotifyEvent + int(ev.Len)
			}
		}
	}
	opened() // WalkDir's own
	return opened
}
