package tmuxmsg

import (
	"testing"

	"github.com/matryer/is"
)

func TestMessages(t *testing.T) {
	for message, want := range map[string]struct{ noServer, noTarget bool }{
		"can't find session: $1":                        {false, true},
		"can't find pane: %1":                           {false, true},
		"no current target":                             {false, true},
		"no server running on /tmp/s":                   {true, false},
		"error connecting to /tmp/s (No such file)":     {true, false},
		"server exited unexpectedly":                    {true, false},
		"lost server":                                   {true, false},
		"no sessions":                                   {true, false},
		"ambiguous option -- k":                         {false, false},
		"duplicate session: can not find another name.": {false, false},
	} {
		t.Run(message, func(t *testing.T) {
			is := is.New(t)
			is.Equal(NoServer("tmux kill-session: "+message), want.noServer)
			is.Equal(NoTarget("tmux kill-session: "+message), want.noTarget)
		})
	}
}
