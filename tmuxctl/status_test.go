package tmuxctl

import (
	"errors"
	"testing"

	"github.com/matryer/is"
)

// A session that is gone is closed, in whichever words tmux says so: on a server that
// somebody has told to end, it is "no current target" (3.3a).
func TestNoTarget(t *testing.T) {
	for words, want := range map[string]bool{
		"can't find session: $1": true,
		"can't find pane: %1":    true,
		"no current target":      true,
		"ambiguous option -- k":  false,
		"lost server":            false,
	} {
		is.New(t).Equal(noTarget(errors.New("tmux kill-session: "+words)), want)
	}
}
