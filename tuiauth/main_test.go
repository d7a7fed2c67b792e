package tuiauth

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// role makes the test binary play one of the processes that share a home.
const role = "TUIAUTH_TEST_ROLE"

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(role) {
	case "":
		os.Exit(m.Run())
	case "prepare": // MODE HOME REALHOME WORKDIR...
		err = playPreparer(os.Args[1], os.Args[2], os.Args[3], os.Args[4:])
	case "rewrite": // FILE
		err = playRewriter(os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func playPreparer(mode, home, real string, workdirs []string) error {
	h := Home{Dir: home, RealHome: real}
	if mode == "isolated" {
		h.Mode = Isolated
	}
	for _, dir := range workdirs {
		if _, err := PrepareHome(h, dir); err != nil {
			return err
		}
	}
	return nil
}

// playRewriter is a program that ignores our locks. 100 times a second it reads the
// file, increments a count and replaces the file, until its standard input ends. It
// prints the last count. It fails if one of its updates was undone. An update that is
// gone for as long as a process may be kept from a core is not: where PrepareHome has put
// its file over an update, it puts the update back, and who reads in between reads what
// was there before (see atomicfile.Pending.Commit).
func playRewriter(path string) error {
	stop := make(chan bool)
	go func() {
		os.Stdin.Read(make([]byte, 1))
		close(stop)
	}()
	tick := time.NewTicker(10 * time.Millisecond)
	count, written := 0, time.Now()
	for {
		doc, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var v map[string]json.RawMessage
		if err := json.Unmarshal(doc, &v); err != nil {
			return err
		}
		if got := string(v["count"]); got != fmt.Sprint(count) {
			if time.Since(written) > 10*time.Second {
				return fmt.Errorf("wrote %d, found %s", count, got)
			}
			continue
		}
		count++
		v["count"] = json.RawMessage(fmt.Sprint(count))
		if doc, err = json.Marshal(v); err != nil {
			return err
		}
		temp := filepath.Join(filepath.Dir(path), "foreign.tmp")
		if err := os.WriteFile(temp, doc, 0o600); err != nil {
			return err
		}
		if err := os.Rename(temp, path); err != nil {
			return err
		}
		written = time.Now()
		select {
		case <-stop:
			fmt.Print(count)
			return nil
		case <-tick.C:
		}
	}
}
