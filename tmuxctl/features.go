package tmuxctl

import (
	"context"
	"errors"
	"strings"
)

// features are the abilities of a tmux. They are found by trying, not by the version:
// distributions patch tmux, and builds between releases have version names of their
// own.
type features struct {
	foreground bool // has -D and -N (3.2)
	quietEnd   bool // writes nothing over the screen of a program that has ended (3.3)
	fixedSize  bool // has resize-window, which fixes the size of a window (2.9)
	quitModes  bool // has copy-mode -q, which leaves every mode (in 3.1c)
	liveModes  bool // reads what a program prints while its pane is in copy mode (3.2)
	rawPaste   bool // has paste-buffer -S, without which it would not paste as it is (3.7)
}

func (f *features) probe(ctx context.Context, in *instance) {
	_, err := in.run(ctx, nil, "show-options", "-g", "-w", "remain-on-exit-format")
	f.quietEnd = err == nil
	if !f.quietEnd && in.shared == nil {
		// What it writes scrolls the first row away: see Screen.
		in.run(ctx, nil, "set-option", "-g", "history-limit", "1")
	}
	_, err = in.run(ctx, nil, "resize-window", "-t", "="+keeper+":", "-x", "80", "-y", "24")
	f.fixedSize = known(err)
	_, err = in.run(ctx, nil, "copy-mode", "-q", "-t", "="+keeper+":")
	f.quitModes = known(err)
	f.liveModes = f.foreground // of the same release
	_, err = in.run(ctx, nil, "paste-buffer", "-S", "-b", "none", "-t", "="+keeper+":")
	f.rawPaste = known(err)
}

// known tells whether tmux knows the command and its flags. tmux checks those first,
// and only then that there is no such buffer or, on a shared server, no such session.
func known(err error) bool {
	said, refused := errors.AsType[refusal](err)
	return err == nil || refused && !strings.Contains(string(said), "unknown") && !strings.Contains(string(said), "usage:")
}
