package tuiturn

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/tuiturn/tuiturn/internal/agent"
	"github.com/tuiturn/tuiturn/internal/text"
)

// Errors of a prompt that cannot be sent. No agent is started for such a prompt.
var (
	// ErrEmptyPrompt is returned for a prompt without a visible character.
	ErrEmptyPrompt = errors.New("the prompt is empty")

	// ErrInvalidPrompt is returned for a prompt that the agent cannot take as text:
	// see Request.Prompt.
	ErrInvalidPrompt = agent.ErrInvalidPrompt
)

// checkPrompt returns an error for a prompt that no agent can be given.
func checkPrompt(prompt string) error {
	switch {
	case !utf8.ValidString(prompt):
		return fmt.Errorf("%w: it is not UTF-8: convert it first", ErrInvalidPrompt)
	case strings.Contains(prompt, "\x00"):
		return fmt.Errorf("%w: it holds a NUL byte: remove it", ErrInvalidPrompt)
	case strings.Contains(prompt, "\x1b[201~"), strings.Contains(prompt, "\u009b201~"):
		return fmt.Errorf("%w: it holds the end-of-paste sequence ESC [ 201 ~: remove it", ErrInvalidPrompt)
	case len(text.Visible(prompt)) == 0:
		return fmt.Errorf("%w: it has no visible character", ErrEmptyPrompt)
	}
	return nil
}
