package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// What fails is said with its reason, whichever test go test thinks has said it, and
// what passes is not.
func TestReport(t *testing.T) {
	is := is.New(t)
	var events strings.Builder
	for _, e := range []event{
		{"output", "a", "TestEquals", "=== RUN   TestEquals\n", ""},
		{"output", "a", "TestPasses", "=== RUN   TestPasses\n    a_test.go:1: well\n", ""},
		{"output", "a", "TestPasses", "\ta_test.go:2: 1 != 2\n", ""}, // printed by TestEquals
		{"output", "a", "TestPasses", "--- PASS: TestPasses (0.00s)\n", ""},
		{"pass", "a", "TestPasses", "", ""},
		{"output", "a", "TestEquals", "--- FAIL: TestEquals (0.00s)\n", ""},
		{"fail", "a", "TestEquals", "", ""},
		{"output", "a", "TestSkips", "    a_test.go:3: no tmux\n", ""},
		{"skip", "a", "TestSkips", "", ""},
		{"output", "a", "TestHangs", "    a_test.go:4: waiting\n", ""},
		{"output", "a", "TestHangs", "panic: test timed out\n", ""},
		{"output", "a", "", "FAIL\ta\t1s\n", ""},
		{"fail", "a", "", "", ""},
		{"output", "b", "TestPasses", "\tb_test.go:1: beside the point\n", ""},
		{"pass", "b", "TestPasses", "", ""},
		{"output", "b", "", "ok  \tb\t1s\n", ""},
		{"pass", "b", "", "", ""},
	} {
		is.NoErr(json.NewEncoder(&events).Encode(e))
	}
	var said strings.Builder
	skipped := report(&said, strings.NewReader(events.String()))
	is.Equal(skipped, map[string]int{"no tmux": 1})
	is.Equal(said.String(), `--- FAIL: TestEquals (0.00s)
FAIL	a	1s
    a_test.go:4: waiting
panic: test timed out
Printed by no test in particular:
	a_test.go:2: 1 != 2
ok  	b	1s
`)
}
