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
	"github.com/tuiturn/tuiturn/internal/tmuxmsg"
)

// Tmux runs one tmux command on one server and returns what the command prints. If
// tmux fails, the error must be or wrap an *exec.ExitError with its Stderr, as
// [exec.Cmd.Output] returns it, or have tmux's message in its text.
type Tmux func(ctx context.Context, args ...string) ([]byte, error)

// endWait limits the wait for a server that has no session any more. Such a server
// ends in 6 ms, or in 104 ms after 30 sessions; a wedged one never ends by itself.
const endWait = 2 * time.Second

var plainPrefix = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// KillServerIfOnlyOurs ends a tmux server if it has sessions and every session's name
// begins with prefix. prefix must be one or more of [A-Za-z0-9_-]. killed tells
// whether the server was ended; KillServerIfOnlyOurs then returns when its process is
// gone. If no server runs, or it has no session, nothing is done.
//
// No session that somebody else creates meanwhile is lost. One of three things
// happens: the session is seen and nothing is ended; our sessions are ended, the
// server stays with the new one, and killed is false; or the creator is told that
// there is no server. The server itself checks and ends in one step. A tmux without
// the format #{S:…} cannot do that: it is asked for its sessions and then told to end
// them. If a foreign session comes in between, our sessions end and the server stays.
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
		if err == nil || !noTarget(err) {
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
	// Nobody can reach the server. Either somebody else's kill-server met a new
	// session: the server has closed its socket and waits for that session's end (30
	// times in 400 on tmux 3.3a). Or it waits for a suspended client. SIGTERM ends
	// it in both cases, in the first within 6 ms.
	if err := server.Terminate(); err != nil {
		return false, fmt.Errorf("process %d does not end: %w", pid, err)
	}
	if !ended(ctx, watch, endWait) {
		return false, fmt.Errorf("process %d has no sessions and is still there after SIGTERM: look at its clients, then kill it by hand", pid)
	}
	return true, nil
}

// killCommands returns the commands that end the sessions. The server ends when it
// has none left.
//
// kill-server is not used. It closes the socket first. A session that a client
// creates in that moment is lost while tmux reports success (91 times in 400 on 3.3a,
// 282 on 3.8), or it wedges the server. A server that runs out of sessions serves
// every connected client before it ends: no session was lost in 1,200.
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

// settle waits for a server that was told to end its sessions. It returns when the
// server is gone, when it has sessions again and so stays, or after endWait.
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

// noServer tells whether err is tmux's message for a socket without a server.
func noServer(err error) bool { return tmuxmsg.NoServer(said(err)) }

// noTarget tells whether tmux has refused a command because its target is gone.
func noTarget(err error) bool { return tmuxmsg.NoTarget(said(err)) }

// said returns err's text together with tmux's standard error.
func said(err error) string {
	text := err.Error()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		text += ": " + string(exit.Stderr)
	}
	return text
}
