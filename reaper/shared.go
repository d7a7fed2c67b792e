package reaper

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/tuiturn/tuiturn/internal/command"
	"github.com/tuiturn/tuiturn/internal/lease"
)

// clientTimeout limits one command to a shared tmux server: a stopped server answers
// nobody.
const clientTimeout = 5 * time.Second

// sessions ends the panes of a dead lease on shared tmux servers. A session ends with
// its last pane, and a server with its last session. sessions reports false if ctx
// ended before it had asked every server.
func (s *sweep) sessions(ctx context.Context, e lease.Entry) bool {
	for _, server := range e.Servers {
		panes, err := s.panes(ctx, server, e)
		if ctx.Err() != nil {
			return false
		}
		if err != nil && !noServer(err) {
			s.end(Finding{Kind: Session, Path: server.Socket, Name: server.Prefix + "*", Owner: e.ID, Why: e.Why}, err)
		}
		for _, p := range panes {
			switch {
			case p.Verdict == Kept:
				s.add(p.Finding)
			case s.cfg.DryRun:
				s.end(p.Finding, nil)
			default:
				// Not ctx: what has begun is brought to its end.
				s.endPane(context.WithoutCancel(ctx), server, p)
			}
		}
	}
	return true
}

// A pane is a pane of ours with the finding for its session.
type pane struct {
	id string // "%N", which a server gives once
	Finding
}

// panes returns the panes of a lease on a shared server. Their start command names a
// file in the lease's directory, and no other directory has that name. A session's
// name proves nothing: everybody may rename a session or move a window to another
// one. A person who looks on with new-session -t gets a session that tmux names after
// ours, and may have windows of their own in it.
func (s *sweep) panes(ctx context.Context, server lease.SharedServer, e lease.Entry) (ours []pane, err error) {
	out, err := client(ctx, server, "list-panes", "-a", "-F", "#{pid} #{pane_pid} #{pane_id} #{session_name}:#{pane_start_command}")
	if err != nil {
		return nil, err
	}
	owners := s.owners()
	met := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 4)
		if len(f) < 4 || met[f[2]] {
			continue // a pane is listed with each session that its window is in
		}
		name, command, _ := strings.Cut(f[3], ":") // which no session's name has
		if !strings.Contains(command, "/"+filepath.Base(e.Dir)+"/") {
			continue
		}
		met[f[2]] = true
		p := pane{f[2], Finding{Kind: Session, Path: server.Socket, Name: name, Owner: e.ID, Why: e.Why}}
		if p.Pid, err = strconv.Atoi(f[0]); err != nil {
			return nil, fmt.Errorf("tmux answered %q for its process id", f[0])
		}
		// Anybody may name a file of the lease in a command.
		pid, _ := strconv.Atoi(f[1])
		if owner, ok := owners[pid]; ok && owner != e.ID {
			p.Owner, p.Verdict, p.Why = owner, Kept, "its program belongs to another lease, though its command names "+e.Dir
		}
		ours = append(ours, p)
	}
	return ours, nil
}

// endPane ends a pane if the server is still the one that listed it. On another
// server that has taken the socket since, the id would name somebody else's pane.
func (s *sweep) endPane(ctx context.Context, server lease.SharedServer, p pane) {
	out, err := client(ctx, server, "if-shell", "-F", "-t", p.id,
		fmt.Sprintf("#{==:#{pid},%d}", p.Pid), "kill-pane -t '"+p.id+"'", "display-message -p kept")
	switch {
	case err == nil && strings.TrimSpace(string(out)) == "kept":
		s.keep(p.Finding, "its id belongs to another server by now")
	case err != nil && (noServer(err) || noTarget(err)):
		s.end(p.Finding, nil) // with its program
	default:
		s.end(p.Finding, err)
	}
}

// owners tells which lease a process belongs to.
func (s *sweep) owners() map[int]string {
	owners := map[int]string{}
	for _, c := range s.carriers("") {
		if name, id, _ := lease.ParseMark(c.Entry); name != "" {
			owners[c.Pid] = id
		}
	}
	return owners
}

// client runs one tmux command on a shared server.
func client(ctx context.Context, server lease.SharedServer, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, clientTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, server.Tmux, append([]string{"-u", "-f", "/dev/null", "-S", server.Socket}, args...)...)
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"}
	cmd.Dir = "/"
	out, _, err := command.Output(cmd) // a server that is stopped keeps the client's pipes open
	if exit, ok := err.(*exec.ExitError); ok {
		err = fmt.Errorf("tmux %s: %w: %s", args[0], err, strings.TrimSpace(string(exit.Stderr)))
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("tmux %s: the server does not answer: %w", args[0], context.Cause(ctx))
	}
	return out, err
}
