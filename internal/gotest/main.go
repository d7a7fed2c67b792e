// Command gotest runs the tests of the module and of its examples. Unlike go test, it
// reports how many tests were skipped, and why. Its arguments are go test's flags.
//
// With the argument "-" it runs nothing, but reads what go test -v has printed from
// standard input, and prints of it what tells why it failed.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

func main() {
	args := os.Args[1:]
	var cmd *exec.Cmd
	if slices.Equal(args, []string{"-"}) {
		cmd = exec.Command("go", "tool", "test2json")
		cmd.Stdin = os.Stdin
	} else {
		// The timeout is for hangs only: on a busy machine one package takes minutes.
		args = append([]string{"test", "-json", "-timeout=30m"}, args...)
		cmd = exec.Command("go", append(args, "./...", "./examples/...")...)
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gotest:", err)
		os.Exit(1)
	}
	skipped := report(os.Stdout, out)
	err = cmd.Wait()
	for _, why := range slices.Sorted(maps.Keys(skipped)) {
		fmt.Printf("SKIPPED %d: %s\n", skipped[why], why)
	}
	if err != nil {
		os.Exit(1)
	}
}

// An event is a line of go test -json.
type event struct {
	Action, Package, Test, Output, ImportPath string
}

// report writes what failed and how the packages ended. It returns the number of
// skipped tests by reason.
func report(w io.Writer, events io.Reader) (skipped map[string]int) {
	skipped = map[string]int{}
	said := map[string]string{}  // the output of each test that has not ended
	loose := map[string]string{} // what a package's passed tests did not print through testing
	for lines := json.NewDecoder(events); ; {
		var e event
		if lines.Decode(&e) != nil {
			return skipped
		}
		name := e.Package + " " + e.Test
		switch {
		case e.Action == "output" || e.Action == "build-output":
			if e.Test != "" {
				said[name] += e.Output
			} else if e.Output != "PASS\n" && e.Output != "FAIL\n" {
				fmt.Fprint(w, e.Output)
			}
		case e.Test == "":
			if e.Action != "fail" {
				continue
			}
			for name, text := range said { // the tests that a panic or the timeout has ended
				if strings.HasPrefix(name, e.Package+" ") {
					fmt.Fprint(w, chatter.ReplaceAllString(text, ""))
				}
			}
			// The is package prints past testing, and go test takes what it prints for
			// output of whichever test runs.
			if text := loose[e.Package]; text != "" {
				fmt.Fprintf(w, "Printed by no test in particular:\n%s", text)
			}
		case e.Action == "skip":
			skipped[reason(said[name])]++
			delete(said, name)
		case e.Action == "fail":
			fmt.Fprint(w, chatter.ReplaceAllString(said[name], ""))
			delete(said, name)
		case e.Action == "pass":
			loose[e.Package] += strings.Join(past.FindAllString(said[name], -1), "")
			delete(said, name)
		}
	}
}

// chatter matches what go test says of a test that starts, waits or goes on.
var chatter = regexp.MustCompile(`(?m)^=== .*\n`)

// past matches a line that was not printed by testing, which prints its own lines with
// "===", "---" or four spaces in front.
var past = regexp.MustCompile(`(?m)^(?:[^=\- \n]|-[^-]|=[^=]| {1,3}[^ \n]).*\n`)

var place = regexp.MustCompile(`(?m)^ *\S+\.go:\d+: (.*)$`)

// reason returns the last message of a skipped test.
func reason(said string) string {
	all := place.FindAllStringSubmatch(said, -1)
	if all == nil {
		return strings.TrimSpace(said)
	}
	return all[len(all)-1][1]
}
