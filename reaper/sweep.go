package reaper

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/tuiturn/tuiturn/internal/atomicfile"
	"github.com/tuiturn/tuiturn/internal/lease"
	"github.com/tuiturn/tuiturn/internal/proc"
)

// endGrace is how long the programs of a dead lease may take to end after SIGHUP.
// They get SIGTERM after half of that time and SIGKILL at its end.
const endGrace = 2 * time.Second

// A SweepConfig says where to sweep. The zero value sweeps the system's
// directory for temporary files.
type SweepConfig struct {
	// Dirs are the directories in which leases are made, such as a Runner's
	// TempDir; none means os.TempDir(). A directory that does not exist is no error.
	Dirs []string

	// DryRun ends nothing and reports what would be ended.
	DryRun bool

	// Log receives a record for each finding: at level Info if it was ended, at Warn
	// if that failed, else at Debug. Nil logs nothing.
	Log *slog.Logger
}

// Sweep ends what dead hosts have left: the programs of their turns and everything
// those have started, detached or not; their private tmux servers; their sessions on
// shared tmux servers; and their private directories with the sockets, FIFOs and
// temporary files in them.
//
// A thing is ended only if it carries the ID of a lease whose host has provably
// ended. Everything else is reported as kept, except for the directories of other
// users, which are not reported. Hosts that live, that start meanwhile, or that belong
// to another user are safe, and so is everything else on a shared tmux server.
//
// Any number of sweeps may run at the same time, in one process or in several. Each
// dead lease is ended by one of them. (Processes whose directory is gone can't be
// locked: two sweeps may both report them.)
//
// The error lists what could not be ended. In a dry run it is nil unless something
// could not be examined. The report is valid in any case. When ctx ends, Sweep
// finishes the current lease, which takes some seconds at most, and leaves the rest to
// the next sweep. If it waits for a shared tmux server's answer, it stops at once. The
// error then wraps ctx's cause.
//
// Where the system's process table can't be read the error wraps
// [errors.ErrUnsupported], and nothing is ended.
func Sweep(ctx context.Context, cfg SweepConfig) (Report, error) {
	s := sweep{cfg: cfg, log: cfg.Log, report: Report{Found: []Finding{}}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.run(ctx)
	if s.errs != nil {
		return s.report, fmt.Errorf("sweeping: %w", s.errs)
	}
	return s.report, nil
}

// A sweep is the state of one Sweep.
type sweep struct {
	cfg    SweepConfig
	log    *slog.Logger
	report Report
	live   map[proc.Identity]bool // hosts, and this process
	errs   *multierror.Error
}

func (s *sweep) fail(err error) { s.errs = multierror.Append(s.errs, err) }

// add reports f.
func (s *sweep) add(f Finding) {
	s.report.Found = append(s.report.Found, f)
	level := slog.LevelDebug
	switch f.Verdict {
	case Ended:
		level = slog.LevelInfo
	case Failed:
		level = slog.LevelWarn
	}
	s.log.Log(context.Background(), level, f.String(), "owner", f.Owner)
}

func (s *sweep) keep(f Finding, why string) {
	f.Verdict, f.Why = Kept, why
	s.add(f)
}

// errParts is the reason why a directory stays if the failed parts have findings of
// their own.
var errParts = errors.New("not all that belongs to it could be ended")

// end reports that f was ended, or why it could not be.
func (s *sweep) end(f Finding, err error) {
	switch {
	case err != nil:
		if err != errParts {
			s.fail(fmt.Errorf("%s %s: %w", f.Kind, f.name(), err))
		}
		f.Verdict, f.Why = Failed, f.Why+"; "+err.Error()
	case s.cfg.DryRun:
		f.Verdict = WouldEnd
	default:
		f.Verdict = Ended
	}
	s.add(f)
}

func (s *sweep) run(ctx context.Context) {
	marked, err := proc.Find(belongsTo(""))
	if err != nil {
		s.fail(err) // a lease can't be ended without its processes
		return
	}
	dirs := s.cfg.Dirs
	if len(dirs) == 0 {
		dirs = []string{""}
	}
	var entries []lease.Entry
	for _, dir := range dirs {
		more, err := lease.List(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.fail(err)
		}
		entries = append(entries, more...)
	}
	s.hosts(marked, entries)
	met := map[string]bool{} // directories and leases that are dealt with
	for _, e := range entries {
		if ctx.Err() != nil {
			s.fail(context.Cause(ctx))
			return
		}
		if met[e.Dir] {
			continue // named twice
		}
		met[e.Dir], met[e.ID] = true, true
		s.directory(ctx, e)
	}
	s.orphans(ctx, marked, met)
}

// directory ends a dead lease, or an empty directory that is no lease.
func (s *sweep) directory(ctx context.Context, e lease.Entry) {
	f := Finding{Kind: Directory, Path: e.Dir, Owner: e.ID, Why: e.Why}
	if e.State != lease.Dead {
		s.keep(f, e.Why)
		return
	}
	if !s.cfg.DryRun {
		release, err := e.Take()
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return // another sweep was faster
		case errors.Is(err, atomicfile.ErrLocked):
			s.keep(f, "another sweep is working on it")
			return
		case err != nil:
			s.keep(f, err.Error())
			return
		}
		defer release()
	}

	before := len(s.errs.WrappedErrors())
	if e.ID != "" {
		// Found first, for the report: a program ends with its session.
		carriers := s.carriers(e.ID)
		if !s.sessions(ctx, e) {
			s.fail(context.Cause(ctx))
			return // to the next sweep, with what is left of it
		}
		s.processes(ctx, e.ID, e.Why, carriers, s.spared(carriers))
	}
	inside := files(e)
	var err error
	switch {
	case len(s.errs.WrappedErrors()) > before:
		err = errParts // with its directory it is met again by the next sweep
	case !s.cfg.DryRun:
		err = e.Remove()
	}
	for _, f := range inside {
		s.end(f, err)
	}
	s.end(f, err)
}

// files returns the sockets and FIFOs in a lease's directory.
func files(e lease.Entry) (found []Finding) {
	filepath.WalkDir(e.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // Remove will say so
		}
		switch d.Type() {
		case fs.ModeSocket:
			found = append(found, Finding{Kind: Socket, Path: path, Owner: e.ID, Why: e.Why})
		case fs.ModeNamedPipe:
			found = append(found, Finding{Kind: FIFO, Path: path, Owner: e.ID, Why: e.Why})
		}
		return nil
	})
	return found
}

// orphans ends the processes of dead leases whose directory is gone or is not in one
// of the swept directories.
func (s *sweep) orphans(ctx context.Context, marked []proc.Carrier, met map[string]bool) {
	byID := map[string][]proc.Carrier{}
	var ids []string
	for _, c := range marked {
		_, id, _ := lease.ParseMark(c.Entry)
		if met[id] || !lease.Considered(id) {
			continue
		}
		if byID[id] == nil {
			ids = append(ids, id)
		}
		byID[id] = append(byID[id], c)
	}
	for _, id := range ids {
		if ctx.Err() != nil {
			s.fail(context.Cause(ctx))
			return
		}
		if state, why := lease.HostState(id); state == lease.Dead {
			spared := s.spared(byID[id])
			for _, c := range byID[id] {
				// No directory of this user's says that it is the host's.
				if uid, err := c.UID(); err != nil {
					spared[c.Identity] = "its user is not known: " + err.Error()
				} else if uid != os.Geteuid() {
					spared[c.Identity] = fmt.Sprintf("it belongs to user %d", uid)
				}
			}
			s.processes(ctx, id, why, byID[id], spared)
		} else {
			for _, c := range byID[id] {
				s.keep(finding(c, id), why)
			}
		}
	}
}

// hosts finds out which processes are hosts of living leases. A host that was started
// in a turn of another host, such as a proxy that an agent has restarted, carries the
// other host's mark.
func (s *sweep) hosts(marked []proc.Carrier, entries []lease.Entry) {
	s.live = map[proc.Identity]bool{proc.Identify(os.Getpid()): true}
	add := func(id string) {
		if host, ok := lease.LiveHost(id); ok {
			s.live[host] = true
		}
	}
	for _, e := range entries {
		add(e.ID)
	}
	for _, c := range marked {
		_, id, _ := lease.ParseMark(c.Entry)
		add(id)
	}
}

// spared returns the carriers of a dead lease that are living hosts or have inherited
// the mark from one, each with the reason. See Spare of [proc.Target].
func (s *sweep) spared(carriers []proc.Carrier) map[proc.Identity]string {
	byPid := map[int]proc.Carrier{}
	for _, c := range carriers {
		if c.Pid > 1 {
			byPid[c.Pid] = c
		}
	}
	spared := map[proc.Identity]string{}
	for _, c := range carriers {
		p, ok := c, true
		for range len(carriers) { // parents cannot form a ring; a torn table might
			if s.live[p.Identity] {
				spared[c.Identity] = fmt.Sprintf("process %d, which has inherited it, is a host that runs", p.Pid)
				break
			}
			younger := p
			if p, ok = byPid[p.Parent]; !ok || p.Start > younger.Start {
				break
			}
		}
	}
	return spared
}

// belongsTo matches the mark of a lease; of any lease if id is empty.
func belongsTo(id string) func(entry string) bool {
	return func(entry string) bool {
		_, of, ok := lease.ParseMark(entry)
		return ok && (id == "" || of == id)
	}
}

// carriers returns the processes of a lease; of any lease if id is empty.
func (s *sweep) carriers(id string) []proc.Carrier {
	found, err := proc.Find(belongsTo(id))
	if err != nil {
		s.fail(err)
	}
	return found
}

func finding(c proc.Carrier, id string) Finding {
	f := Finding{Kind: Process, Name: c.Name, Pid: c.Pid, Owner: id}
	if name, _, _ := lease.ParseMark(c.Entry); name == "" {
		f.Kind = Server
	}
	return f
}

// processes ends the carriers of id and everything they have started meanwhile. It
// keeps the processes in spared and reports them with their reason.
func (s *sweep) processes(ctx context.Context, id, why string, carriers []proc.Carrier, spared map[proc.Identity]string) {
	survivors := map[proc.Identity]*proc.Survivor{}
	if !s.cfg.DryRun && slices.ContainsFunc(carriers, func(c proc.Carrier) bool { return spared[c.Identity] == "" }) {
		survivors = s.endCarriers(ctx, id, spared)
	}
	seen := map[proc.Identity]bool{}
	for _, c := range carriers {
		if seen[c.Identity] {
			continue // it carries the ID twice
		}
		seen[c.Identity] = true
		f, failed := finding(c, id), error(nil)
		if reason := spared[c.Identity]; reason != "" {
			s.keep(f, reason)
			continue
		}
		f.Why = why
		if survivor := survivors[c.Identity]; survivor != nil {
			failed = survivor.Err
			delete(survivors, c.Identity)
		}
		s.end(f, failed)
	}
	for _, p := range survivors { // what a carrier had started
		s.end(Finding{Kind: Process, Name: p.Name, Pid: p.Pid, Owner: id, Why: why}, p.Err)
	}
}

// endCarriers ends the programs before their tmux server. A server that ends first
// sends its programs SIGHUP and leaves them without their parent.
func (s *sweep) endCarriers(ctx context.Context, id string, spared map[proc.Identity]string) map[proc.Identity]*proc.Survivor {
	observe()
	spare := maps.Clone(s.live)
	for p := range spared {
		spare[p] = true
	}
	survivors := map[proc.Identity]*proc.Survivor{}
	for _, server := range []bool{false, true} {
		// Not ctx: what has begun is brought to its end.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endGrace)
		err := proc.End(ctx, proc.Target{Spare: spare, Match: func(entry string) bool {
			name, of, ok := lease.ParseMark(entry)
			return ok && of == id && (name == "") == server
		}})
		cancel()
		for _, err := range multierror.Append(nil, err).Errors {
			if survivor, ok := errors.AsType[*proc.Survivor](err); ok {
				survivors[survivor.Identity] = survivor
			} else {
				s.fail(err)
			}
		}
	}
	return survivors
}
