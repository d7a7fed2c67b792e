package drive

import (
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/transcript"
)

// TestRests: for every standing that there is, the table has a row, and what is
// neither working nor about to repeat a request is waited for no longer than 5 s.
func TestRests(t *testing.T) {
	is := is.New(t)
	for n := range 1 << 6 {
		for state := transcript.Working; state <= transcript.Final; state++ {
			s := standing{state, n&1 != 0, n&2 != 0, n&4 != 0, n&8 != 0, n&16 != 0, n&32 != 0}
			after := never
			for _, rest := range rests {
				if rest.is(s) {
					after = rest.after
					break
				}
			}
			plain := state == transcript.Final && !s.stopping || state == transcript.Resting && !s.cut
			if s.retrying || s.working && !plain {
				is.Equal(after, never)
			} else {
				is.True(after >= restQuiet && after < 5*time.Second)
			}
		}
	}
}
