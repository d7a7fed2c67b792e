package reaper

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/tuiturn/tuiturn/internal/proc"
)

// Tmux runs one tmux command on the server in question and returns what it
// prints. An error is expected to be, or to wrap, an *exec.ExitError with its
// Stderr, as [exec.Cmd.Output] returns it, or to have tmux's message in its text.
type Tmux func(ctx context.Context, args ...string) ([]byte, error)

// endWait bounds the wait for a server that was told to end. It takes 6 ms, or
// 104 ms with 30 sessions; one that a new session met in the act never ends by
// itself.
const endWait = 2 * time.Second

var plainPrefix = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// KillServerIfOnlyOurs ends a tmux server if it has sessions and the name of
// every one begins with prefix, which must be one or more of [A-Za-z0-9_-].
// killed tells whether it did; it returns when the server's process is gone.
// Where no server runs, or it has no session, it does nothing.
//
// The server itself decides, in one step, so a session created meanwhile is
// either seen or comes to a server that is ending, and its creator is told. A
// tmux that cannot (without the format #{S:…}) is asked for its sessions and
// then told to end: a session created between the two is lost there.
func KillServerIfOnlyOurs(ctx context.Context, tmux Tmux, prefix string) (killed bool, err error) {
	if !plainPrefix.MatchString(prefix) {
		return false, fmt.Errorf("ending a tmux server: prefix %q: use one or more letters, digits, - and _", prefix)
	}
	killed, err = killIfOnlyOurs(ctx, tmux, prefix)
	if err != nil {
		return killed, fmt.Errorf("ending a tmux server with only %s* sessions: %w", prefix, err)
	}
	return killed, nil
}

func killIfOnlyOurs(ctx context.Context, tmux Tmux, prefix string) (bool, error) {
	// The list is the decision of an old tmux; elsewhere it only spares the
	// common case, a server with other people's sessions, the rest.
	out, err := tmux(ctx, "list-sessions", "-F", "#{pid} #{S:x} #{session_name}")
	if err != nil {
		if noServer(err) {
			return false, nil
		}
		return false, err
	}
	pid, loops, sessions := 0, false, 0
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), " ")
		if len(f) < 3 || !strings.HasPrefix(f[2], prefix) {
			return false, nil
		}
		if _, err := fmt.Sscan(f[0], &pid); err != nil || pid <= 1 {
			return false, fmt.Errorf("tmux answered %q for its process id", f[0])
		}
		loops = strings.Trim(f[1], "x") == "" && f[1] != ""
		sessions++
	}
	if sessions == 0 {
		return false, nil
	}

	server := proc.Identify(pid)
	watch, err := proc.Watch(pid)
	if err != nil {
		return false, err
	}
	defer watch.Stop()

	kill := []string{"kill-server"}
	if loops {
		// The pid: between the list and now another server may have taken the
		// socket, and its process is not the one that is watched.
		all := "#{==:#{S:#{?#{m:" + prefix + "*,#{session_name}},,x}},}"
		kill = []string{"if-shell", "-F", fmt.Sprintf("#{&&:#{==:#{pid},%d},%s}", pid, all),
			"kill-server", "display-message -p kept"}
	}
	out, err = tmux(ctx, kill...)
	switch {
	case strings.TrimSpace(string(out)) == "kept":
		return false, nil
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case err != nil && !noServer(err):
		// A client that watched its server end may say so as an error.
		if !ended(ctx, watch, endWait) {
			return false, err
		}
		return true, nil
	}
	if ended(ctx, watch, endWait) {
		return true, nil
	}
	// Wedged: seen 7 times in 700 when a new session met the kill. The server
	// refuses every client from then on; SIGTERM ended each within 6 ms.
	if err := server.Terminate(); err != nil {
		return false, fmt.Errorf("process %d does not end: %w", pid, err)
	}
	if !ended(ctx, watch, endWait) {
		return false, fmt.Errorf("process %d is still there after kill-server and SIGTERM: look at it before it is killed by hand", pid)
	}
	return true, nil
}

func ended(ctx context.Context, w *proc.Watcher, wait time.Duration) bool {
	select {
	case <-w.Done():
		return true
	case <-time.After(wait):
	case <-ctx.Done():
	}
	select {
	case <-w.Done():
		return true
	default:
		return false
	}
}

// noServer tells whether err is tmux's way to say that nothing runs behind the
// socket. The words are tmux 2.6 to 3.6's.
func noServer(err error) bool {
	text := err.Error()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		text += string(exit.Stderr)
	}
	for _, words := range []string{"no server running", "error connecting to", "server exited", "lost server", "no sessions"} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}
