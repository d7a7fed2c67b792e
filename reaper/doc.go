// Package reaper ends what earlier turns left behind, and nothing else.
//
// A host is a process that runs turns. Each of its private directories,
// "tuiturn-*" in the directory for temporary files, is a lease: it records which
// host made it. Each lease has a guardian, a small shell process that cleans up when
// the host dies.
//
// # What is left behind, and when
//
// A host that ends normally leaves nothing. The guardian cleans up after a host that
// is killed. This package is for the other cases: the guardian was killed too, the
// machine lost power, a cleaner of temporary files removed something, a tmux server
// is shared with other people, or process 1 of a container does not reap.
//
//   - [Sweep] ends once what dead hosts have left: programs, tmux servers, sessions
//     on shared servers, private directories. Run it at the start of a host, from a
//     timer, or by hand. With DryRun it only reports.
//   - [Sweeper] sweeps repeatedly while its program is idle.
//   - [KillServerIfOnlyOurs] ends a shared tmux server if nobody else has a
//     session on it.
//   - [Zombies] lists the defunct children of a tmux server, or of all processes.
//   - [Subreaper] reaps what a host's turns leave where process 1 does not.
//
// # What is proof
//
// Resemblance is no proof. A file in each lease names the host by pid, start time,
// boot and pid namespace. The host holds a lock on the directory for as long as it
// lives. Every process of a turn carries a mark, the lease's ID in its environment
// (tmuxctl.MarkerVar). A sweep ends what belongs to a host that has provably ended. It
// reports the rest as kept, with the reason. It never touches
//
//   - what belongs to a host that lives, also in another container,
//   - a pane on a shared server whose command does not name the dead host's private
//     directory, or whose program belongs to another host; the name of a session
//     proves nothing, and other people's windows in a session of ours stay,
//   - another user's processes and directories,
//   - a directory that does not name its host, unless it is empty and older than a
//     minute,
//   - the sweeping process and its ancestors, whatever they carry,
//   - a living host that was started in a turn of the dead one, and what has
//     inherited the dead host's mark from that living host.
//
// The system reuses pids, so a process is identified by its pid and its start time. A
// signal is sent through a handle (Linux: a pidfd), so it reaches only that process.
//
// # Zombies
//
// The process in a tmux pane is a child of the tmux server, so only the server can
// reap it. A server before 3.6 that was built with libutempter forgets panes that end
// by themselves. It reaps them when its next child ends or somebody sends it SIGCHLD.
// On a busy shared server such zombies pile up. tmuxctl sends that signal by itself. A
// server that serves nobody else can simply be ended, and process 1 then reaps what is
// left of it. Where process 1 does not reap, [Subreaper] does.
//
// # Systems
//
// Linux, macOS and FreeBSD; Subreaper is for Linux alone. The tests run on Linux with
// tmux 3.1c, 3.3a, 3.5a and 3.8. Functions are safe for concurrent use.
package reaper
