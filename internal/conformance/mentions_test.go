package conformance

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn"
)

// TestMentionsAllowed shows that what TestPromptIsData looks for can be seen: a
// file that a prompt mentions goes along where that is allowed.
//
// Its turns run alone, one after the other: 2.1.104 and 2.1.158 give themselves a
// second to read what is mentioned and then send the prompt without it, silently.
// On a machine that was busy with other turns 2.1.104 did so 108 times of 108.
func TestMentionsAllowed(t *testing.T) {
	needAgents(t)
	for _, version := range versions() {
		for _, terminal := range terminals {
			if !itsTurn(0, version, terminal) {
				continue
			}
			t.Run(version+"/"+string(terminal), func(t *testing.T) {
				needTmux(t, terminal)
				is := is.New(t)
				h := newHost(t, version, terminal)
				work := h.workDir(t)
				writeFile(t, filepath.Join(work, "secret.txt"), secret)
				x := h.turn(t, t.Context(), tuiturn.Request{Prompt: "Look at @secret.txt", WorkDir: work, AllowMentions: true}, say("seen"))
				is.NoErr(x.err)
				is.Equal(x.res.Text, "seen")
				is.True(strings.Contains(string(x.asked()[0].Body), secret))
			})
		}
	}
}
