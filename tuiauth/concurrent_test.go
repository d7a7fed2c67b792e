package tuiauth

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"
)

// trusted returns the working directories that the file trusts.
func trusted(t *testing.T, file string) map[string]bool {
	t.Helper()
	doc, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Projects map[string]struct {
			HasTrustDialogAccepted bool `json:"hasTrustDialogAccepted"`
		} `json:"projects"`
	}
	if err := json.Unmarshal(doc, &v); err != nil {
		t.Fatalf("%v: %s", err, doc)
	}
	dirs := make(map[string]bool)
	for dir, p := range v.Projects {
		if p.HasTrustDialogAccepted {
			dirs[dir] = true
		}
	}
	return dirs
}

func play(t *testing.T, as string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	// The race detector makes a program sleep for a second when it ends.
	cmd.Env = []string{role + "=" + as, "GORACE=atexit_sleep_ms=0"}
	return cmd
}

func workdirs(t *testing.T, n int) []string {
	t.Helper()
	root := tempDir(t)
	var dirs []string
	for i := range n {
		dir := filepath.Join(root, "work "+strconv.Itoa(i))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, dir)
	}
	return dirs
}

func TestProcessesLoseNoUpdate(t *testing.T) {
	for _, mode := range []Mode{Real, Isolated} {
		t.Run(mode.String(), func(t *testing.T) {
			is := is.New(t)
			const processes, each = 25, 4
			real := tempDir(t)
			home := real
			if mode == Isolated {
				home = filepath.Join(real, ".tuiturn", "home")
			}
			dirs := workdirs(t, processes*each)
			var wg sync.WaitGroup
			for i := range processes {
				wg.Go(func() {
					args := append([]string{mode.String(), home, real}, dirs[i*each:(i+1)*each]...)
					if out, err := play(t, "prepare", args...).CombinedOutput(); err != nil {
						t.Errorf("%v: %s", err, out)
					}
				})
			}
			wg.Wait()
			got := trusted(t, filepath.Join(home, ".claude.json"))
			is.Equal(len(got), len(dirs)) // every working directory is trusted
			onlyFiles(t, home, ".claude.json", ".claude", ".tuiturn")
		})
	}
}

func TestGoroutinesLoseNoUpdate(t *testing.T) {
	is := is.New(t)
	home := tempDir(t)
	dirs := workdirs(t, 60)
	var wg sync.WaitGroup
	for _, dir := range dirs {
		wg.Go(func() {
			if _, err := PrepareHome(Home{Dir: home, RealHome: home}, dir); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	is.Equal(len(trusted(t, filepath.Join(home, ".claude.json"))), len(dirs))
}

// A foreign program reads, changes and replaces the whole file 100 times a
// second and ignores our locks. None of its updates may be undone. It may undo ours:
// it may read the file before our update and write it after.
func TestForeignRewriterLosesNothing(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("files can't be exchanged here, so a window of some 20 µs remains")
	}
	is := is.New(t)
	home := tempDir(t)
	file := filepath.Join(home, ".claude.json")
	writeFile(t, file, `{"count":0,"other":1e3,"big":12345678901234567890}`)

	foreign := play(t, "rewrite", file)
	stdin, err := foreign.StdinPipe()
	is.NoErr(err)
	var out bytes.Buffer
	foreign.Stdout, foreign.Stderr = &out, &out
	is.NoErr(foreign.Start())
	dirs := workdirs(t, 100)
	for range 3 {
		for _, dir := range dirs {
			_, err := PrepareHome(Home{Dir: home, RealHome: home}, dir)
			is.NoErr(err)
		}
	}
	stdin.Close()
	err = foreign.Wait()
	if err != nil {
		t.Fatalf("the foreign program: %v: %s", err, out.Bytes())
	}
	doc, err := os.ReadFile(file)
	is.NoErr(err)
	var v map[string]json.RawMessage
	is.NoErr(json.Unmarshal(doc, &v))
	is.Equal(string(v["count"]), out.String())
	is.Equal(string(v["other"]), "1e3")
	is.Equal(string(v["big"]), "12345678901234567890")

	_, err = PrepareHome(Home{Dir: home, RealHome: home}, dirs[0])
	is.NoErr(err)
	is.True(trusted(t, file)[dirs[0]])
}

// PrepareHome waits for a fresh lock of the agent, and breaks a lock that the agent
// would take for abandoned.
func TestAgentLock(t *testing.T) {
	is := is.New(t)
	home := tempDir(t)
	held := filepath.Join(home, ".claude.json.lock")
	is.NoErr(os.Mkdir(held, 0o755))
	done := make(chan error)
	dir := tempDir(t)
	go func() {
		_, err := PrepareHome(Home{Dir: home, RealHome: home}, dir)
		done <- err
	}()
	// Once a file is staged, PrepareHome waits for the agent's lock only.
	for deadline := time.Now().Add(10 * time.Second); ; {
		entries, err := os.ReadDir(home)
		is.NoErr(err)
		if len(entries) > 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing was staged")
		}
	}
	is.True(!exists(filepath.Join(home, ".claude.json"))) // not written under the agent's lock
	is.NoErr(os.Remove(held))
	is.NoErr(<-done)
	is.True(!exists(held)) // released

	is.NoErr(os.Mkdir(held, 0o755))
	old := time.Now().Add(-2 * agentLockStale)
	is.NoErr(os.Chtimes(held, old, old))
	_, err := PrepareHome(Home{Dir: home, RealHome: home}, tempDir(t))
	is.NoErr(err)
	is.True(!exists(held))
	is.Equal(len(trusted(t, filepath.Join(home, ".claude.json"))), 2)
}
