package tuiturn

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/fakeagent"
)

// spaceVar tells this program that it has mounts of its own.
const spaceVar = "TUITURN_TEST_OWN_MOUNTS"

// A home whose disk becomes full in mid-turn. The disk is a small tmpfs, in a mount
// namespace that a child of this program has to itself.
func TestFullDisk(t *testing.T) {
	if os.Getenv(spaceVar) == "" {
		ownMounts(t)
		return
	}
	for name, c := range map[string]struct {
		disk func(*stage) string // the directory that has little room
		says string
	}{
		"home": {func(s *stage) string { return s.home }, "the agent's home can't be written to"},
	} {
		t.Run(name, func(t *testing.T) {
			onEachTerminal(t, func(t *testing.T, kind TerminalKind) {
				is := is.New(t)
				s := newStage(t, kind, fakeagent.Script{})
				dir := c.disk(s)
				is.NoErr(os.MkdirAll(dir, 0o700))
				is.NoErr(syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"))
				t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
				fill := func() {
					f, err := os.Create(filepath.Join(dir, "filler"))
					is.NoErr(err)
					_, err = f.Write(make([]byte, 2<<20))
					is.True(errors.Is(err, syscall.ENOSPC))
					is.NoErr(f.Close())
				}
				_, err := s.turn(t.Context(), Request{Prompt: "hello", Trace: &Trace{Delivered: fill}})
				is.True(errors.Is(err, syscall.ENOSPC))
				is.True(strings.Contains(err.Error(), c.says))
				is.NoErr(os.Remove(filepath.Join(dir, "filler")))
				res, err := s.turn(t.Context(), Request{Prompt: "hello"})
				is.NoErr(err)
				is.Equal(res.Text, "You said: hello")
			})
		})
	}
}

// The error of an end that nobody has recorded names the disk once.
func TestFullDiskIsNamedOnce(t *testing.T) {
	if os.Getenv(spaceVar) == "" {
		ownMounts(t)
		return
	}
	is := is.New(t)
	s := newStage(t, Pty, answers(fakeagent.Turn{Rest: &fakeagent.Rest{}}))
	is.NoErr(os.MkdirAll(s.home, 0o700))
	is.NoErr(syscall.Mount("tmpfs", s.home, "tmpfs", 0, "size=1m"))
	t.Cleanup(func() { syscall.Unmount(s.home, syscall.MNT_DETACH) })
	fill := func() {
		f, err := os.Create(filepath.Join(s.home, "filler"))
		is.NoErr(err)
		_, err = f.Write(make([]byte, 2<<20))
		is.True(errors.Is(err, syscall.ENOSPC))
		is.NoErr(f.Close())
	}
	_, err := s.turn(t.Context(), Request{Prompt: "hello", Trace: &Trace{Submitted: fill}})
	is.True(errors.Is(err, ErrNoAnswer))
	is.True(errors.Is(err, syscall.ENOSPC))
	is.Equal(strings.Count(err.Error(), "can't be written to"), 1)
}

// ownMounts runs the test again where it may mount: as root in a mount namespace,
// else in a user namespace too.
func ownMounts(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), spaceVar+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
		}
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINVAL) {
		t.Skip("no mount namespace of one's own: " + err.Error())
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
