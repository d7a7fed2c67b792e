package proc

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func needTable(t *testing.T) {
	t.Helper()
	if _, err := Children(os.Getpid()); errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
}

// row is the row of one process.
func row(t *testing.T, id Identity, all []Process) Process {
	t.Helper()
	for _, p := range all {
		if p.Identity == id {
			return p
		}
	}
	t.Fatalf("%v is not among %+v", id, all)
	return Process{}
}

func TestChildren(t *testing.T) {
	needTable(t)
	is := is.New(t)
	self, err := os.Executable()
	is.NoErr(err)
	living, defunct := plant(t, newMarker(), self, helperArg, "sleep"), sh(t, "exec sleep 0")
	eventually(t, "the zombie", func() bool {
		_, alive := StartTime(defunct.target.Pid)
		return !alive
	})
	all, err := Children(os.Getpid())
	is.NoErr(err)
	p := row(t, living.target.Identity, all)
	is.Equal(p.Parent, os.Getpid())
	is.True(p.Name != "" && strings.HasPrefix(filepath.Base(self), p.Name)) // it may be cut
	is.True(!p.Zombie)
	p = row(t, defunct.target.Identity, all)
	is.Equal(p.Name, "sleep")
	is.True(p.Zombie)
	for _, p := range all {
		is.Equal(p.Parent, os.Getpid())
		is.True(p.Start >= Identify(os.Getpid()).Start) // a child never starts before its parent
	}
}

func TestFind(t *testing.T) {
	needTable(t)
	is := is.New(t)
	self, err := os.Executable()
	is.NoErr(err)
	lease := newMarker()
	one := plant(t, lease+".one", self, helperArg, "sleep")
	two := plant(t, lease+".two", self, helperArg, "sleep")
	plant(t, lease+"0.one", self, helperArg, "sleep")
	defunct := plant(t, lease+".three", self, helperArg, "sleep")
	is.NoErr(defunct.cmd.Process.Kill())
	eventually(t, "the zombie", func() bool {
		_, alive := StartTime(defunct.target.Pid)
		return !alive
	})

	found, err := Find(func(entry string) bool { return strings.HasPrefix(entry, lease+".") })
	is.NoErr(err)
	entries := map[string]Process{}
	for _, c := range found {
		entries[c.Entry] = c.Process
	}
	is.Equal(len(found), 2)
	is.Equal(entries[lease+".one"].Parent, os.Getpid())
	is.Equal(entries[lease+".one"].Identity, one.target.Identity)
	is.Equal(entries[lease+".two"].Identity, two.target.Identity)
}

// A process with several entries that are asked for comes with each of them.
func TestFindNamesEveryEntry(t *testing.T) {
	needTable(t)
	is := is.New(t)
	self, err := os.Executable()
	is.NoErr(err)
	marker := newMarker()
	tr := plant(t, marker, "/bin/sh", "-c", `PROC_TEST_TOO=$1 exec "$0" `+helperArg+` sleep`, self, marker)
	found, err := Find(func(entry string) bool { return entry == marker || entry == "PROC_TEST_TOO="+marker })
	is.NoErr(err)
	is.Equal(len(found), 2)
	is.Equal(found[0].Identity, tr.target.Identity)
	is.True(found[0].Entry != found[1].Entry)
}

func TestNobodyIsThere(t *testing.T) {
	is := is.New(t)
	for _, pid := range []int{-1, 0, 1 << 30} {
		is.Equal(Identify(pid), Identity{Pid: pid})
		_, alive := StartTime(pid)
		is.True(!alive)
	}
}
