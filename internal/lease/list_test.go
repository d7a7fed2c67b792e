package lease

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/atomicfile"
	"github.com/tuiturn/tuiturn/internal/proc"
)

// ended is a process that was and is not any more.
func ended(t testing.TB) proc.Identity {
	t.Helper()
	h := play(t, "idle").ready(t)
	h.kill()
	return h.programs[0]
}

// plant makes the directory of a lease as a dead host has left it.
func plant(t testing.TB, parent, content string) string {
	t.Helper()
	dir := filepath.Join(parent, fmt.Sprintf("%s%d", prefix, time.Now().UnixNano()))
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, fileName), []byte(content), 0o600)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func with(id identity, change func(*identity)) identity {
	change(&id)
	return id
}

func TestJudge(t *testing.T) {
	me, err := newIdentity()
	if err != nil {
		t.Fatal(err)
	}
	dead := with(me, func(id *identity) { id.host = ended(t) })
	otherBoot := func(id *identity) { id.boot = "0123456789ab" }
	otherNS := func(id *identity) { id.ns = "1" }
	for name, c := range map[string]struct {
		id                              identity
		held, free, nothing, byAProcess State
	}{
		"a host that runs":                {me, Alive, Alive, Alive, Alive},
		"a host that has ended":           {dead, Alive, Dead, Dead, Dead},
		"a pid that is used again":        {with(me, func(id *identity) { id.host.Start-- }), Alive, Dead, Dead, Dead},
		"another boot":                    {with(me, otherBoot), Alive, Dead, Unknown, Dead},
		"another pid namespace":           {with(me, otherNS), Alive, Dead, Unknown, Unknown},
		"another boot and namespace":      {with(with(me, otherBoot), otherNS), Alive, Dead, Unknown, Unknown},
		"a boot that the host can't name": {with(dead, func(id *identity) { id.boot = unknown }), Alive, Dead, Unknown, Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			if here().boot == unknown {
				t.Skip("this system doesn't name its boots")
			}
			is := is.New(t)
			for e, want := range map[evidence]State{lockHeld: c.held, lockFree: c.free, nothing: c.nothing, onThisMachine: c.byAProcess} {
				state, why := judge(c.id, e)
				if state != want {
					t.Errorf("evidence %d: %v, because %s; want %v", e, state, why, want)
				}
				is.True(why != "")
			}
			state, _ := HostState(c.id.String())
			is.Equal(state, c.byAProcess)
		})
	}
	state, _ := HostState("garbage")
	is.New(t).Equal(state, Unknown)
}

// one lists parent, which must hold one entry.
func one(t testing.TB, parent string) Entry {
	t.Helper()
	entries, err := List(parent)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%+v, %v", entries, err)
	}
	return entries[0]
}

func TestALiveLeaseIsAlive(t *testing.T) {
	is := is.New(t)
	parent := t.TempDir()
	l := hold(t, parent)
	e := one(t, parent)
	is.Equal(e.State, Alive)
	is.Equal(e.ID, l.ID())
	_, err := e.Take()
	is.True(err != nil)
	fromOutside := play(t, "list", parent).rest()
	is.Equal(len(fromOutside), 1)
	is.True(strings.HasPrefix(fromOutside[0], "alive "+l.ID()))

	// The lock alone tells, whatever the file says.
	for _, change := range []func(id *identity){
		func(id *identity) { id.host = ended(t) },
		func(id *identity) { id.ns = "1" },
		func(id *identity) { id.boot = "0123456789ab" },
	} {
		id := with(must(parseID(l.ID())), change)
		is.NoErr(os.WriteFile(filepath.Join(l.Dir(), fileName), []byte(`{"id":"`+id.String()+`","locked":true}`), 0o600))
		is.Equal(one(t, parent).State, Alive)
		fromOutside := play(t, "list", parent).rest()
		is.True(strings.HasPrefix(fromOutside[0], "alive "+id.String()))
	}
}

func TestADeadLeaseIsDead(t *testing.T) {
	is := is.New(t)
	parent := t.TempDir()
	h := everything(t, parent, system)
	// Without its guardian.
	is.NoErr(h.cmd.Process.Signal(syscall.SIGSTOP))
	is.NoErr(syscall.Kill(h.guardian.Pid, syscall.SIGKILL))
	is.Equal(one(t, parent).State, Alive)
	h.kill()
	e := one(t, parent)
	is.Equal(e.State, Dead)
	is.Equal(e.ID, h.id)

	release, err := e.Take()
	is.NoErr(err)
	is.Equal(one(t, parent).State, Alive) // to everybody else, for so long
	_, err = e.Take()
	is.True(errors.Is(err, atomicfile.ErrLocked))
	is.NoErr(e.Remove())
	release()
	is.Equal(len(below(t, parent)), 0)
	_, err = e.Take()
	is.True(errors.Is(err, fs.ErrNotExist))
	is.NoErr(e.Remove())
}

// The lock of a copy is free, and its host may run where its pid means nothing
// here. A copy that is the whole of another file system has the inode, too.
func TestACopyIsNobodys(t *testing.T) {
	is := is.New(t)
	parent := t.TempDir()
	dir := plant(t, parent, "")
	info, err := os.Lstat(dir)
	is.NoErr(err)
	elsewhere := func(id *identity) { id.ns = "1" }
	otherBoot := func(id *identity) { id.ns, id.boot = "1", "0123456789ab" }
	for name, c := range map[string]struct {
		id     func(*identity)
		change func(*file)
		want   State
	}{
		"the directory itself":         {elsewhere, func(*file) {}, Dead},
		"another inode":                {elsewhere, func(c *file) { c.Ino++ }, Unknown},
		"another device":               {elsewhere, func(c *file) { c.Dev++ }, Unknown},
		"another device, another boot": {otherBoot, func(c *file) { c.Dev++ }, Dead},
		"another inode, another boot":  {otherBoot, func(c *file) { c.Ino++ }, Unknown},
		"of an earlier version":        {elsewhere, func(c *file) { c.Dev, c.Ino = 0, 0 }, Dead},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			says := file{ID: with(must(newIdentity()), c.id).String(), Locked: true}
			says.place(info)
			c.change(&says)
			is.NoErr(os.Remove(filepath.Join(dir, fileName)))
			_, err := writeFile(dir, says, nil)
			is.NoErr(err)
			e := one(t, parent)
			is.Equal(e.State, c.want)
			is.Equal(e.ID == "", c.want == Unknown) // then what carries the ID is judged by itself
		})
	}
}

// What a host writes is what a sweep compares.
func TestACopyOfALiveLease(t *testing.T) {
	is := is.New(t)
	parent, backup := t.TempDir(), t.TempDir()
	l := hold(t, parent)
	is.NoErr(l.AddServer(SharedServer{"/s", "/tmux", "p-"}))
	data, err := os.ReadFile(filepath.Join(l.Dir(), fileName))
	is.NoErr(err)
	plant(t, backup, string(data))
	e := one(t, backup)
	is.Equal(e.State, Unknown)
	is.True(strings.Contains(e.Why, "copy"))
	is.Equal(one(t, parent).State, Alive)
}

func TestTwoSweepsDontMeet(t *testing.T) {
	is := is.New(t)
	for range 5 {
		parent := t.TempDir()
		id := with(must(newIdentity()), func(id *identity) { id.host = ended(t) })
		plant(t, parent, `{"id":"`+id.String()+`","locked":true}`)
		a, b := play(t, "take", parent), play(t, "take", parent)
		is.True(a.out.Scan() && b.out.Scan())
		said := []string{a.out.Text(), b.out.Text()}
		slices.Sort(said)
		is.True(strings.HasPrefix(said[0], "not taken: taking over "))
		is.True(strings.Contains(said[0], "locked"))
		is.Equal(said[1], "taken")
	}
}

func TestTakeLooksAgain(t *testing.T) {
	parent := t.TempDir()
	dead := with(must(newIdentity()), func(id *identity) { id.host = ended(t) })
	for name, change := range map[string]func(dir string) error{
		"alive": func(dir string) error {
			id := must(newIdentity())
			return os.WriteFile(filepath.Join(dir, fileName), []byte(`{"id":"`+id.String()+`"}`), 0o600)
		},
		"another lease": func(dir string) error {
			id := with(dead, func(id *identity) { id.nonce = "0123456789abcdef" })
			return os.WriteFile(filepath.Join(dir, fileName), []byte(`{"id":"`+id.String()+`"}`), 0o600)
		},
		"garbage": func(dir string) error { return os.WriteFile(filepath.Join(dir, fileName), []byte("x"), 0o600) },
		"another directory": func(dir string) error {
			moved := filepath.Join(parent, "moved") // keeps its inode from being used again
			return errors.Join(os.Rename(dir, moved), os.Mkdir(dir, 0o700),
				os.Link(filepath.Join(moved, fileName), filepath.Join(dir, fileName)))
		},
		"open to others": func(dir string) error { return os.Chmod(dir, 0o770) },
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			dir := plant(t, parent, `{"id":"`+dead.String()+`"}`)
			e := one(t, parent)
			is.Equal(e.State, Dead)
			is.NoErr(change(dir))
			_, err := e.Take()
			is.True(err != nil && strings.Contains(err.Error(), "it has changed"))
			_, err = os.Stat(dir)
			is.NoErr(err)
			is.NoErr(os.RemoveAll(dir))
		})
	}
}

func TestWhatIsNotProvablyOursIsUnknown(t *testing.T) {
	dead := with(must(newIdentity()), func(id *identity) { id.host = ended(t) })
	valid := `{"id":"` + dead.String() + `","locked":true}`
	for name, make := range map[string]func(dir string) error{
		"garbage":   func(dir string) error { return os.WriteFile(dir+"/lease", []byte("garbage"), 0o600) },
		"empty":     func(dir string) error { return os.WriteFile(dir+"/lease", nil, 0o600) },
		"truncated": func(dir string) error { return os.WriteFile(dir+"/lease", []byte(valid[:len(valid)-3]), 0o600) },
		"followed by something": func(dir string) error {
			return os.WriteFile(dir+"/lease", []byte(valid+valid), 0o600)
		},
		"a lie": func(dir string) error {
			return os.WriteFile(dir+"/lease", []byte(strings.ReplaceAll(valid, dead.boot, "../x")), 0o600)
		},
		"huge": func(dir string) error {
			return errors.Join(os.WriteFile(dir+"/lease", []byte(valid), 0o600), os.Truncate(dir+"/lease", 1<<40))
		},
		"a link": func(dir string) error {
			return errors.Join(os.WriteFile(dir+"/other", []byte(valid), 0o600), os.Symlink("other", dir+"/lease"))
		},
		"a FIFO":      func(dir string) error { return syscall.Mkfifo(dir+"/lease", 0o600) },
		"a directory": func(dir string) error { return os.Mkdir(dir+"/lease", 0o700) },
		"none":        func(dir string) error { return os.WriteFile(dir+"/socket", nil, 0o600) },
		"none yet":    func(dir string) error { return nil },
		"what others may do": func(dir string) error {
			return errors.Join(os.WriteFile(dir+"/lease", []byte(valid), 0o600), os.Chmod(dir, 0o777))
		},
		"unreadable": func(dir string) error {
			if os.Geteuid() == 0 {
				return os.Mkdir(dir+"/lease", 0) // root reads everything but this
			}
			return os.WriteFile(dir+"/lease", []byte(valid), 0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			parent := t.TempDir()
			dir := filepath.Join(parent, prefix+"1")
			is.NoErr(os.Mkdir(dir, 0o700))
			is.NoErr(make(dir))
			e := one(t, parent)
			is.Equal(e.State, Unknown)
			is.Equal(e.ID, "")
			is.True(e.Why != "")
			_, err := e.Take()
			is.True(err != nil)
		})
	}
}

func TestAnEmptyDirectoryIsDeadWhenItIsOld(t *testing.T) {
	is := is.New(t)
	parent := t.TempDir()
	dir := filepath.Join(parent, prefix+"1")
	is.NoErr(os.Mkdir(dir, 0o700))
	old := time.Now().Add(-2 * youth)
	is.NoErr(os.Chtimes(dir, old, old))
	e := one(t, parent)
	is.Equal(e.State, Dead)
	is.Equal(e.ID, "")

	unlock, err := atomicfile.Lock(t.Context(), dir, 0) // its host is just about to use it
	is.NoErr(err)
	is.Equal(one(t, parent).State, Unknown)
	_, err = e.Take()
	is.True(errors.Is(err, atomicfile.ErrLocked))
	unlock()

	is.NoErr(os.WriteFile(dir+"/x", nil, 0o600))
	is.True(e.Remove() != nil)
	is.NoErr(os.Remove(dir + "/x"))
	is.NoErr(os.Chtimes(dir, old, old))
	release, err := e.Take()
	is.NoErr(err)
	is.NoErr(e.Remove())
	release()
	is.Equal(len(below(t, parent)), 0)
}

func TestListPassesOverWhatIsNoDirectoryOfOurs(t *testing.T) {
	is := is.New(t)
	parent := t.TempDir()
	real := t.TempDir()
	is.NoErr(os.Symlink(real, filepath.Join(parent, prefix+"link")))
	is.NoErr(os.WriteFile(filepath.Join(parent, prefix+"file"), nil, 0o600))
	is.NoErr(os.Mkdir(filepath.Join(parent, "other"), 0o700))
	if os.Geteuid() == 0 {
		foreign := filepath.Join(parent, prefix+"foreign")
		is.NoErr(os.Mkdir(foreign, 0o700))
		is.NoErr(os.Chown(foreign, 1, 1))
	}
	entries, err := List(parent)
	is.NoErr(err)
	is.Equal(len(entries), 0)
	_, err = List(filepath.Join(parent, "no"))
	is.True(errors.Is(err, fs.ErrNotExist))
}

func TestListsDontDisturbEachOther(t *testing.T) {
	is := is.New(t)
	parent := t.TempDir()
	id := with(must(newIdentity()), func(id *identity) { id.ns = "1" })
	plant(t, parent, `{"id":"`+id.String()+`","locked":true}`)
	wrong := make(chan string, 4)
	for range cap(wrong) {
		go func() {
			said := ""
			for range 50 {
				if entries, err := List(parent); err != nil || len(entries) != 1 || entries[0].State != Dead {
					said = fmt.Sprint(entries, err)
				}
			}
			wrong <- said
		}()
	}
	for range cap(wrong) {
		is.Equal(<-wrong, "")
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("1.2.0.0.0123456789abcdef")
	f.Add("4711.108186.19760d448813.4026531836.5691a1d0b4b0a5b2")
	f.Add("+1.02.-.x.0123456789ABCDEF")
	f.Add("99999999999.2.0.0.0123456789abcdef")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := parseID(s)
		if err != nil {
			return
		}
		if id.String() != s || id.host.Pid < 1 || strings.Trim(s, "0123456789abcdefghijklmnopqrstuvwxyz.") != "" {
			t.Errorf("%q was accepted as %+v", s, id)
		}
	})
}

func FuzzParseMark(f *testing.F) {
	f.Add("TUITURN_SESSION=name@1.2.0.0.0123456789abcdef.1")
	f.Add("TUITURN_SERVER=1.2.0.0.0123456789abcdef")
	f.Add("TUITURN_SESSION=a@b@1.2.0.0.0123456789abcdef.01")
	f.Add("TUITURN_SESSION=@1.2.0.0.0123456789abcdef.1")
	f.Fuzz(func(t *testing.T, s string) {
		name, id, ok := ParseMark(s)
		if !ok {
			return
		}
		if _, err := parseID(id); err != nil {
			t.Errorf("%q has the ID %q: %v", s, id, err)
		}
		if name == "" && s != ServerVar+"="+id || name != "" && !strings.HasPrefix(s, "TUITURN_SESSION="+name+"@"+id+".") {
			t.Errorf("%q was read as %q, %q", s, name, id)
		}
	})
}

func FuzzParseFile(f *testing.F) {
	f.Add([]byte(`{"id":"1.2.0.0.0123456789abcdef","locked":true,"servers":[{"socket":"/s","tmux":"/t","prefix":"p"}]}`))
	f.Add([]byte(`{"id":null}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, id, err := parseFile(data)
		if err == nil && (c.ID != id.String() || c.ID == "") {
			t.Errorf("%q was read as %+v, %+v", data, c, id)
		}
		if err != nil && c.ID != "" {
			t.Errorf("%q gave both %+v and %v", data, c, err)
		}
	})
}
