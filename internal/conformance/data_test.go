package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/internal/standin"
)

// TestPromptIsData gives the agents prompts that are not just text to them.
// Each must reach the model with no other change than Request.Prompt's
// documentation tells, must make the agent add nothing and do nothing, and must
// be answered.
//
// The prompts of one version and terminal share a Runner, as those of a host
// do. Each prompt goes to one version, in turns, over one of the terminals; with
// TUITURN_LONG to all, over both.
func TestPromptIsData(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, version string, terminal tuiturn.TerminalKind) {
		h := newHost(t, version, terminal)
		const ordinary = "Say hello."
		plain := h.tryPrompt(t, ordinary)
		usual := plain.additions(t, plain.asked()[0], ordinary)
		for i, p := range hostile(long()) {
			if !oneVersion(i, version) || !itsTurn(i, version, terminal) {
				continue
			}
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				x := h.tryPrompt(t, p.prompt)
				prompt := x.fill(p.wanted(version))
				for _, r := range x.asked() {
					if got := r.Prompt(); got != prompt {
						t.Errorf("the model received %s, want %s", excerpt(got), excerpt(prompt))
					}
					for _, part := range x.additions(t, r, prompt) {
						if !slices.Contains(usual, part) {
							t.Errorf("the agent added, as it does not to an ordinary prompt, %s", excerpt(part))
						}
					}
				}
				if n := len(x.asked()); n != 1 {
					t.Errorf("the model was asked %d times", n)
				}
			})
		}
	})
}

// TestPastedPromptIsData does the same where the agent does not open an editor,
// and looks only for what must not happen: what a paste adds to a text and takes
// from it is the agent's affair.
func TestPastedPromptIsData(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, version string, terminal tuiturn.TerminalKind) {
		h := newHost(t, version, terminal)
		closeDoor(t, h)
		for i, p := range slices.DeleteFunc(hostile(true), func(p hostilePrompt) bool { return !p.paste }) {
			if !oneVersion(i, version) || !itsTurn(i, version, terminal) {
				continue
			}
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				x := h.tryPrompt(t, p.prompt)
				want := x.fill(p.wanted(version))
				for _, r := range x.asked() {
					if got := r.Prompt(); !strings.Contains(got, want) {
						t.Errorf("the model received %s, want %s in it", excerpt(got), excerpt(want))
					}
				}
			})
		}
	})
}

// TestPastedPictureIsRefused: pasted, the name of a picture becomes the picture,
// and no change to the text would prevent it on every version.
func TestPastedPictureIsRefused(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, version string, terminal tuiturn.TerminalKind) {
		if !itsTurn(0, version, terminal) {
			return
		}
		h := newHost(t, version, terminal)
		closeDoor(t, h)
		picture := filepath.Join(h.dir, "secret.png")
		writeFile(t, picture, pixel+secret)
		x := h.turn(t, t.Context(), tuiturn.Request{Prompt: "What is in\n" + picture + "\n?"}, say("A picture."))
		if !errors.Is(x.err, tuiturn.ErrInvalidPrompt) {
			t.Errorf("the turn ended with %v", x.err)
		}
		if len(x.asked()) > 0 {
			t.Error("the model was asked")
		}
	})
}

// closeDoor has prompts pasted: an agent would take a script with such a path for two
// words.
func closeDoor(t *testing.T, h *host) {
	t.Helper()
	h.temp = filepath.Join(h.dir, "a b")
	must(t, os.Mkdir(h.temp, 0o700))
	h.runner.TempDir = h.temp
}

// A trial is a turn in a working directory of its own.
type trial struct {
	exchange
	dir, work string
}

// fill puts the trial's directories into a text.
func (x trial) fill(s string) string {
	return strings.NewReplacer("{dir}", x.dir, "{work}", x.work).Replace(s)
}

// pixel is a PNG of one pixel, up to its end mark. The secret follows it.
const pixel = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\b\x06\x00\x00\x00\x1f\x15\xc4\x89" +
	"\x00\x00\x00\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\x00\x05\x00\x01\xff\x89\x99=\x1d\x00\x00\x00\x00IEND\xaeB`\x82"

// tryPrompt runs a turn with files around it that it must neither read, change
// nor add to.
func (h *host) tryPrompt(t *testing.T, prompt string) trial {
	t.Helper()
	x := trial{dir: shortDir(t)}
	x.work = filepath.Join(x.dir, "work")
	for _, path := range []string{
		filepath.Join(x.dir, "secret.txt"),
		filepath.Join(h.home, "secret.txt"),
		filepath.Join(x.work, "secret.txt"),
		filepath.Join(x.work, "a secret.txt"),
		filepath.Join(x.work, secret+".txt"), // for a listing
	} {
		writeFile(t, path, secret+"\n")
	}
	writeFile(t, filepath.Join(x.work, "secret.png"), pixel+secret)
	before := snapshot(t, x.dir)

	answer := fmt.Sprint("The answer is ", time.Now().UnixNano())
	x.exchange = h.turn(t, t.Context(), tuiturn.Request{Prompt: x.fill(prompt), WorkDir: x.work}, say(answer))
	if x.err != nil {
		t.Fatalf("no answer: %v", x.err)
	}
	if x.res.Text != answer {
		t.Errorf("the answer is %q, want %q", x.res.Text, answer)
	}
	if after := snapshot(t, x.dir); !maps.Equal(before, after) {
		t.Errorf("files have changed: there were %q, there are %q", slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after)))
	}
	if len(x.asked()) == 0 {
		t.Fatal("the model was not asked")
	}
	for _, r := range x.requests {
		if body := string(r.Body); strings.Contains(body, secret) || strings.Contains(body, `"type":"image"`) {
			t.Errorf("a file went out with %s %s", r.Method, r.Path)
		}
	}
	return x
}

// additions are the parts of a request's messages that are not the prompt, each
// with its role and type.
func (x trial) additions(t *testing.T, r standin.Request, prompt string) (parts []string) {
	t.Helper()
	var body struct {
		Messages []struct {
			Role    string
			Content json.RawMessage
		}
	}
	must(t, json.Unmarshal(r.Body, &body))
	for _, m := range body.Messages {
		type block struct{ Type, Text string }
		var blocks []block
		if json.Unmarshal(m.Content, &blocks) != nil {
			blocks = []block{{Type: "text"}}
			must(t, json.Unmarshal(m.Content, &blocks[0].Text))
		}
		for _, b := range blocks {
			parts = append(parts, m.Role+" "+b.Type+": "+b.Text)
		}
	}
	if at := slices.Index(parts, "user text: "+prompt); at >= 0 {
		parts = slices.Delete(parts, at, at+1)
	}
	for i := range parts {
		parts[i] = strings.ReplaceAll(parts[i], x.work, "{work}")
	}
	return parts
}

// excerpt quotes a text that may be long.
func excerpt(s string) string {
	if len(s) > 300 {
		return fmt.Sprintf("%+q … %+q (%d bytes)", s[:150], s[len(s)-150:], len(s))
	}
	return fmt.Sprintf("%+q", s)
}
