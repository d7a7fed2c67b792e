package conformance

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tuiturn/tuiturn"
)

// TestRepeatedTurns runs one short turn after the other and logs the medians of
// their times: two, or twenty with TUITURN_LONG.
func TestRepeatedTurns(t *testing.T) {
	t.Parallel()
	turns := 2
	if long() {
		turns = 20
	}
	forEach(t, func(t *testing.T, version string, terminal tuiturn.TerminalKind) {
		if !itsTurn(0, version, terminal) {
			return
		}
		h := newHost(t, version, terminal)
		work := h.workDir(t)
		var boot, submit, answer, teardown, total []time.Duration
		for i := range turns {
			want := fmt.Sprintf("It is %d.", i)
			x := h.turn(t, t.Context(), tuiturn.Request{Prompt: fmt.Sprintf("What is %d?", i), WorkDir: work}, say(want))
			if x.err != nil || x.res.Text != want || len(x.asked()) != 1 {
				t.Errorf("turn %d: %q, asked %d times, %v", i, x.res.Text, len(x.asked()), x.err)
				continue
			}
			boot = append(boot, x.res.Timings.Boot)
			submit = append(submit, x.res.Timings.Submit)
			answer = append(answer, x.res.Timings.Answer)
			teardown = append(teardown, x.res.Timings.Teardown)
			total = append(total, x.res.Timings.Total)
		}
		t.Logf("%d of %d right; medians: boot %v, submit %v, answer %v, teardown %v, total %v",
			len(total), turns, median(boot), median(submit), median(answer), median(teardown), median(total))
	})
}

func median(d []time.Duration) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[len(d)/2].Round(time.Millisecond)
}
