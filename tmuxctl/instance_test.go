package tmuxctl

import (
	"testing"

	"github.com/matryer/is"
)

// What a client says of a server that is wedged ends it; what may have another
// cause does not.
func TestLost(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	in := startTestInstance(t)
	for _, said := range []string{"", "can't find session: $9", "error connecting to " + in.socket() + " (No such file or directory)"} {
		is.True(!in.lost(said))
	}
	is.True(in.lost("server exited unexpectedly"))
	is.True(startTestInstance(t).lost("lost server")) // as 2.6 says it
}
