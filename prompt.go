package tuiturn

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tuiturn/tuiturn/internal/text"
)

// Errors of a prompt that no agent is started for.
var (
	ErrEmptyPrompt   = errors.New("the prompt is empty")
	ErrInvalidPrompt = errors.New("the prompt cannot be typed")
)

// checkPrompt refuses what no agent could be given.
func checkPrompt(prompt string) error {
	switch {
	case !utf8.ValidString(prompt):
		return fmt.Errorf("%w: it is not UTF-8: convert it first", ErrInvalidPrompt)
	case strings.Contains(prompt, "\x00"):
		return fmt.Errorf("%w: it holds a NUL byte: remove it", ErrInvalidPrompt)
	case strings.Contains(prompt, "\x1b[201~"), strings.Contains(prompt, "\u009b201~"):
		return fmt.Errorf("%w: it holds the end-of-paste sequence ESC [ 201 ~: remove it", ErrInvalidPrompt)
	case len(text.Visible(prompt)) == 0:
		return fmt.Errorf("%w: there is nothing in it that can be seen", ErrEmptyPrompt)
	}
	return nil
}

// isPrompt tells whether recorded, which the transcript has as the session's first
// prompt, is the one that was put in. White space and characters that cannot be
// seen do not count, nor does how characters are composed: 2.1.330 takes the
// invisible out of all that is typed, 2.1.104 and 2.1.158 compose. Nor do
// backslashes: 2.1.330 puts one into the tag that it marks a paste with.
//
// Around what was pasted 2.1.330 puts tags. A command is not compared: the
// transcript has it in the agent's own form.
func (t *turn) isPrompt(recorded string) bool {
	if t.isCommand() {
		return true
	}
	if t.pasted {
		// A key that was read as text must not pass for part of the paste.
		if strings.ContainsFunc(recorded, func(c rune) bool { return c < ' ' && !unicode.IsSpace(c) }) {
			return false
		}
		if m := pasteTags.FindStringSubmatch(recorded); m != nil {
			recorded = m[1]
		}
	}
	unescape := strings.NewReplacer(`\`, "")
	return text.Same(unescape.Replace(t.prompt), unescape.Replace(recorded))
}

// isCommand tells whether the agent may take the prompt for a command of its own.
func (t *turn) isCommand() bool {
	return t.req.AllowCommands && strings.HasPrefix(strings.TrimSpace(t.prompt), "/")
}

// pasteTags is how 2.1.330 gives what was pasted to the model.
var pasteTags = regexp.MustCompile(`(?s)^\s*<pasted_content id="[^"]*">(.*)</pasted_content[^>]*>\s*$`)
