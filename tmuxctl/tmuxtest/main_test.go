package tmuxtest_test

import (
	"os"
	"testing"

	"github.com/tuiturn/tuiturn/tmuxctl/tmuxtest"
)

func TestMain(m *testing.M) {
	tmuxtest.PlayAgent()
	status := m.Run()
	for _, clean := range t.cleanups {
		clean()
	}
	os.Exit(status)
}

// t is what an example has in place of a test's *testing.T.
var t = &example{}

type example struct {
	testing.TB // nil
	cleanups   []func()
}

func (t *example) Helper()                   {}
func (t *example) Cleanup(f func())          { t.cleanups = append(t.cleanups, f) }
func (t *example) Fatal(args ...any)         { panic(args) }
func (t *example) Fatalf(f string, a ...any) { panic(f) }
