package tuiturn

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/tuiturn/tuiturn/internal/agent"
	"github.com/tuiturn/tuiturn/internal/text"
)

// Errors of a prompt that no agent is started for.
var (
	ErrEmptyPrompt   = errors.New("the prompt is empty")
	ErrInvalidPrompt = agent.ErrInvalidPrompt
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
