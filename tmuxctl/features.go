package tmuxctl

import (
	"context"
	"errors"
	"strings"
)

// features are what a tmux can. They are found by trying: distributions patch,
// and versions between releases have names of their own.
type features struct {
	foreground bool // has -D and -N (3.2)
	quietEnd   bool // writes nothing over the screen of a program that has ended (3.3)
	rawPaste   bool // has paste-buffer -S, without which it would not paste as it is (3.7)
}

func (f *features) probe(ctx context.Context, in *instance) {
	_, err := in.run(ctx, nil, "show-options", "-g", "-w", "remain-on-exit-format")
	f.quietEnd = err == nil
	if !f.quietEnd && in.shared == nil {
		// What it writes scrolls the first row away: see Screen.
		in.run(ctx, nil, "set-option", "-g", "history-limit", "1")
	}
	_, err = in.run(ctx, nil, "paste-buffer", "-S", "-b", "none", "-t", "="+keeper+":")
	said, refused := errors.AsType[refusal](err)
	f.rawPaste = refused && !strings.Contains(string(said), "unknown flag") && !strings.Contains(string(said), "usage:")
}
