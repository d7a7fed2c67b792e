// Command gotest runs the tests of the module and of its examples. Unlike go test, it
// reports how many tests were skipped, and why. Its arguments are go test's flags.
package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

// An event is a line of go test -json.
type event struct {
	Action, Package, Test, Output, ImportPath string
}

func main() {
	// The timeout is for hangs only: on a busy machine one package takes minutes.
	args := append([]string{"test", "-json", "-timeout=30m"}, os.Args[1:]...)
	cmd := exec.Command("go", append(args, "./...", "./examples/...")...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gotest:", err)
		os.Exit(1)
	}
	said := map[string]string{} // the output of each test that has not ended
	skipped := map[string]int{} // the number of skipped tests by reason
	for lines := json.NewDecoder(out); ; {
		var e event
		if lines.Decode(&e) != nil {
			break
		}
		name := e.Package + " " + e.Test
		switch {
		case e.Action == "output" || e.Action == "build-output":
			if e.Test == "" {
				if e.Output != "PASS\n" && e.Output != "FAIL\n" {
					fmt.Print(e.Output)
				}
			} else {
				said[name] += e.Output
			}
		case e.Test == "":
		case e.Action == "skip":
			skipped[reason(said[name])]++
			delete(said, name)
		case e.Action == "fail":
			fmt.Print(said[name])
			delete(said, name)
		case e.Action == "pass":
			delete(said, name)
		}
	}
	err = cmd.Wait()
	for _, why := range slices.Sorted(maps.Keys(skipped)) {
		fmt.Printf("SKIPPED %d: %s\n", skipped[why], why)
	}
	if err != nil {
		os.Exit(1)
	}
}

var place = regexp.MustCompile(`(?m)^ *\S+\.go:\d+: (.*)$`)

// reason returns the last message of a skipped test.
func reason(said string) string {
	all := place.FindAllStringSubmatch(said, -1)
	if all == nil {
		return strings.TrimSpace(said)
	}
	return all[len(all)-1][1]
}
