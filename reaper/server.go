package reaper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tuiturn/tuiturn/internal/proc"
)

// Tmux runs one tmux command on the server in question and returns what it
// prints. An error is expected to be, or to wrap, an *exec.ExitError with its
// Stderr, as [exec.Cmd.Output] returns it, or to have tmux's message in its text.
type Tmux func(ctx context.Context, args ...string) ([]byte, error)

// endWait bounds the wait for a server that has no session any more. It takes
// 6 ms, or 104 ms with 30 sessions; one that was wedged never ends by itself.
const endWait = 2 * time.Second

var plainPrefix = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// KillServerIfOnlyOurs ends a tmux server if it has sessions and the name of
// every one begins with prefix, which must be one or more of [A-Za-z0-9_-].
// killed tells whether it did; it returns when the server's process is gone.
// Where no server runs, or it has no session, it does nothing.
//
// No session that somebody creates meanwhile is lost: either it is seen and
// nothing is done, or the server stays with it, without ours and with killed
// false, or its creator is told that there is no server. The server itself
// decides, in one step. A tmux that cannot (without the format #{S:…}) is asked
// for its sessions and then told to end those: a foreign one that comes between
// the two keeps the server, not ours.
func KillServerIfOnlyOurs(ctx context.Context, tmux Tmux, prefix string) (killed bool, err error) {
	if !plainPrefix.MatchString(prefix) {
		return false, fmt.Errorf("ending a tmux server: prefix %q: use one or more letters, digits, - and _", prefix)
	}
	killed, err = killIfOnlyOurs(ctx, tmux, prefix)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && len(exit.Stderr) > 0 {
		err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(exit.Stderr))
	}
	if err != nil {
		return killed, fmt.Errorf("ending a tmux server with only %s* sessions: %w", prefix, err)
	}
	return killed, nil
}

func killIfOnlyOurs(ctx context.Context, tmux Tmux, prefix string) (killed bool, err error) {
	// A session that ends by itself after it was listed stops tmux there.
	for range 10 {
		killed, err = endOurs(ctx, tmux, prefix)
		if err == nil || !strings.Contains(said(err), "can't find session") {
			break
		}
	}
	return killed, err
}

func endOurs(ctx context.Context, tmux Tmux, prefix string) (bool, error) {
	out, err := tmux(ctx, "list-sessions", "-F", "#{pid} #{S:x} #{session_id} #{session_name}")
	if err != nil {
		if noServer(err) {
			return false, nil
		}
		return false, err
	}
	pid, loops := 0, false
	var ids []string
	for line := range strings.Lines(string(out)) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 4)
		if len(f) < 4 || !strings.HasPrefix(f[3], prefix) {
			return false, nil
		}
		if pid, err = strconv.Atoi(f[0]); err != nil || pid <= 1 {
			return false, fmt.Errorf("tmux answered %q for its process id", f[0])
		}
		loops = strings.Trim(f[1], "x") == "" && f[1] != ""
		ids = append(ids, f[2])
	}
	if len(ids) == 0 {
		return false, nil
	}

	server := proc.Identify(pid)
	watch, err := proc.Watch(pid)
	if err != nil {
		return false, err
	}
	defer watch.Stop()

	observe(server)
	for _, kill := range killCommands(pid, prefix, ids, loops) {
		out, err = tmux(ctx, kill...)
		if strings.TrimSpace(string(out)) == fmt.Sprint("kept by ", pid) {
			return false, nil
		}
	}
	gone, stays := settle(ctx, tmux, pid, watch)
	switch {
	case gone:
		return true, nil // a client that watched it end may have failed
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case stays && (err == nil || noServer(err)):
		return false, nil // a session came meanwhile
	case stays:
		return false, err
	}
	// Nobody can reach it: somebody else's kill-server met a new session, the
	// server has closed its socket and waits for that session's end (30 times
	// in 400 on tmux 3.3a). Or a client that is suspended holds it up. SIGTERM
	// does away with both, the first within 6 ms.
	if err := server.Terminate(); err != nil {
		return false, fmt.Errorf("process %d does not end: %w", pid, err)
	}
	if !ended(ctx, watch, endWait) {
		return false, fmt.Errorf("process %d has no sessions and is still there after SIGTERM: look at its clients before it is killed by hand", pid)
	}
	return true, nil
}

// killCommands end the sessions, and the server follows when it has none left.
//
// Not kill-server: it closes the socket first, and a session that a client
// creates in that moment is lost while tmux reports success (91 times in 400 on
// 3.3a, 282 on 3.8), or wedges the server. A server that runs out of sessions
// serves whoever is connected before it ends: none was lost in 1,200.
func killCommands(pid int, prefix string, ids []string, loops bool) (commands [][]string) {
	guard := func(condition string, kill ...string) {
		kill = append([]string{"set-option -sq exit-empty on"}, kill...)
		commands = append(commands, []string{"if-shell", "-F", condition, strings.Join(kill, " ; "), "display-message -p 'kept by #{pid}'"})
	}
	// The pid: between the list and now another server may have taken the
	// socket, with the same ids.
	same := fmt.Sprintf("#{==:#{pid},%d}", pid)
	if loops {
		all := "#{==:#{S:#{?#{m:" + prefix + "*,#{session_name}},,x}},}"
		guard("#{&&:"+same+","+all+"}", "kill-session -a -t '"+ids[0]+"'", "kill-session -t '"+ids[0]+"'")
		return commands
	}
	for some := range slices.Chunk(ids, 200) { // a command may have 16 KB
		var kill []string
		for _, id := range some {
			kill = append(kill, "kill-session -t '"+id+"'")
		}
		guard(same, kill...)
	}
	return commands
}

// settle waits for a server that was told to end its sessions: until it is gone,
// or has sessions again and so stays, or for endWait.
func settle(ctx context.Context, tmux Tmux, pid int, watch *proc.Watcher) (gone, stays bool) {
	for deadline := time.Now().Add(endWait); ; {
		// It cannot end while a client asks it something: ask rarely.
		if ended(ctx, watch, 50*time.Millisecond) {
			return true, false
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			return false, false
		}
		out, err := tmux(ctx, "list-sessions", "-F", "#{pid}")
		if first, _, _ := strings.Cut(string(out), "\n"); err == nil && first == strconv.Itoa(pid) {
			return false, true
		}
	}
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
	text := said(err)
	for _, words := range []string{"no server running", "error connecting to", "server exited", "lost server", "no sessions"} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}

// said is err's text and what tmux said.
func said(err error) string {
	text := err.Error()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		text += ": " + string(exit.Stderr)
	}
	return text
}
