package tmuxctl

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// mark returns a part of the start command of our panes: the path of the FIFO of that
// name in our directory. No other directory has our directory's name, so the mark
// proves that a pane is ours. An empty name gives the mark of all our panes. A
// session's name proves nothing: people rename sessions, and tmux gives a session that
// is grouped with ours a name that begins like ours.
func (in *instance) mark(fifo string) string {
	return "/" + filepath.Base(in.dir) + "/" + fifo
}

// endPanes ends the panes with that mark, wherever they are by now. A window ends
// with its last pane, and a session with its last window. If endPanes fails, it is
// tried again before the next session is made.
func (in *instance) endPanes(ctx context.Context, mark string) error {
	defer in.exclusive(ctx)()
	in.wake()
	err := in.killPanes(ctx, mark)
	if err == nil || in.gone() {
		return nil
	}
	in.leftPanes.Lock()
	defer in.leftPanes.Unlock()
	if !slices.Contains(in.leftPanes.marks, mark) {
		in.leftPanes.marks = append(in.leftPanes.marks, mark)
	}
	return err
}

// endLeftPanes tries again to end the panes that endPanes could not end.
func (in *instance) endLeftPanes(ctx context.Context) {
	in.leftPanes.Lock()
	marks := in.leftPanes.marks
	in.leftPanes.marks = nil
	in.leftPanes.Unlock()
	for _, mark := range marks {
		in.endPanes(ctx, mark) // or the next time
	}
}

func (in *instance) killPanes(ctx context.Context, mark string) error {
	out, err := in.run(ctx, nil, "list-panes", "-a", "-F", "#{pid} #{pane_id} #{pane_start_command}")
	if err != nil {
		if _, refused := errors.AsType[refusal](err); refused {
			return nil // there are none
		}
		return err
	}
	var all *multierror.Error
	done := map[string]bool{} // a pane of a grouped session is listed twice
	for line := range strings.Lines(string(out)) {
		f := strings.SplitN(strings.TrimSpace(line), " ", 3)
		if len(f) == 3 && f[0] == fmt.Sprint(in.server.Pid) && holds(f[2], mark) && !done[f[1]] {
			done[f[1]] = true
			if err := in.killPane(ctx, in.server.Pid, f[1]); err != nil {
				all = multierror.Append(all, err)
			}
		}
	}
	return all.ErrorOrNil()
}

// holds tells whether a start command, which tmux 3 quotes, has the mark. The mark of
// env-1 does not match env-10.
func holds(command, mark string) bool {
	if strings.HasSuffix(mark, "/") {
		return strings.Contains(command, mark)
	}
	return strings.HasSuffix(strings.TrimRight(command, `"'`), mark)
}

// killPane ends a pane if the server is still the one that gave the pane its number:
// on a shared socket another server may have followed.
func (in *instance) killPane(ctx context.Context, server int, pane string) error {
	_, err := in.run(ctx, nil, "if-shell", "-F", fmt.Sprintf("#{==:#{pid},%d}", server), "kill-pane -t "+pane)
	if err == nil || in.gone() || noTarget(err) {
		return nil
	}
	return err
}
