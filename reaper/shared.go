package reaper

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/tuiturn/tuiturn/internal/lease"
)

// clientTimeout bounds one command to a shared tmux server: one that was stopped
// answers nobody.
const clientTimeout = 5 * time.Second

// sessions ends the sessions of a dead lease on tmux servers that others use
// too. A server that then has none left ends by itself.
func (s *sweep) sessions(ctx context.Context, e lease.Entry) {
	for _, server := range e.Servers {
		// Not ctx: what has begun is brought to its end.
		err := s.sessionsOn(context.WithoutCancel(ctx), server, e)
		if err != nil && !noServer(err) {
			s.end(Finding{Kind: Session, Path: server.Socket, Name: server.Prefix + "*", Owner: e.ID, Why: e.Why}, err)
		}
	}
}

func (s *sweep) sessionsOn(ctx context.Context, server lease.SharedServer, e lease.Entry) error {
	out, err := client(ctx, server, "list-panes", "-a", "-F", "#{pid} #{pane_pid} #{session_id} #{session_name}")
	if err != nil {
		return err
	}
	owners := s.owners()
	type session struct {
		id string
		Finding
	}
	var ours []*session
	byID := map[string]*session{}
	for line := range strings.Lines(string(out)) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 4)
		// The prefix is the lease's alone, and so is every name with it; one
		// that is not plain was given by somebody else.
		if len(f) < 4 || !strings.HasPrefix(f[3], server.Prefix) || !plainPrefix.MatchString(f[3]) {
			continue
		}
		x := byID[f[2]]
		if x == nil {
			x = &session{f[2], Finding{Kind: Session, Path: server.Socket, Name: f[3], Owner: e.ID, Why: e.Why}}
			byID[x.id] = x
			ours = append(ours, x)
			if x.Pid, err = strconv.Atoi(f[0]); err != nil {
				return fmt.Errorf("tmux answered %q for its process id", f[0])
			}
		}
		// A prefix that two hosts share does not prove enough.
		pane, _ := strconv.Atoi(f[1])
		if owner, ok := owners[pane]; ok && owner != e.ID {
			x.Owner, x.Verdict, x.Why = owner, Kept, "its program belongs to another lease, though the name is of the prefix "+server.Prefix
		}
	}
	for _, x := range ours {
		switch {
		case x.Verdict == Kept:
			s.add(x.Finding)
		case s.cfg.DryRun:
			s.end(x.Finding, nil)
		default:
			s.session(ctx, server, x.id, x.Finding)
		}
	}
	return nil
}

// session ends one session, if on that server it still is what f says: since it
// was listed the session may have got another name, or the socket another
// server, and the id would be somebody else's.
func (s *sweep) session(ctx context.Context, server lease.SharedServer, id string, f Finding) {
	out, err := client(ctx, server, "if-shell", "-F", "-t", id,
		fmt.Sprintf("#{==:#{pid} #{session_name},%d %s}", f.Pid, f.Name),
		"kill-session -t '"+id+"'", "display-message -p kept")
	switch {
	case err == nil && strings.TrimSpace(string(out)) == "kept":
		s.keep(f, "it is another session by now")
	case err != nil && (noServer(err) || strings.Contains(said(err), "can't find")):
		s.end(f, nil) // with its program
	default:
		s.end(f, err)
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
	// A client hands its standard output to the server, which keeps it open
	// where it is stopped.
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if exit, ok := err.(*exec.ExitError); ok {
		err = fmt.Errorf("tmux %s: %w: %s", args[0], err, strings.TrimSpace(string(exit.Stderr)))
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("tmux %s: the server does not answer: %w", args[0], context.Cause(ctx))
	}
	return out, err
}
