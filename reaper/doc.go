// Package reaper ends what earlier turns left behind, and nothing else.
//
// # What is left behind, and when
//
// A host that ends in the ordinary way leaves nothing, and one that is killed is
// cleaned up after by a guardian, a small process that each private directory
// has. This package is for the rest: the guardian was killed too, the machine
// lost power, a cleaner of temporary files has been through, a tmux server is
// shared with other people, or process 1 of a container does not do its work.
//
//   - [Sweep] ends what dead hosts have left, once: programs, tmux servers,
//     sessions on shared servers, private directories. Run it at the start of a
//     host, from a timer, or by hand; its DryRun only tells.
//   - [Sweeper] does so from time to time while its program is idle.
//   - [KillServerIfOnlyOurs] ends a shared tmux server if nobody else has a
//     session on it.
//   - [Zombies] lists the defunct children of a tmux server, or of everybody.
//   - [Subreaper] reaps what a host's turns leave where process 1 does not.
//
// # What is proof
//
// Nothing is ended because it looks like ours. Each private directory,
// "tuiturn-*" in the directory for temporary files, says in a file which host
// made it: by pid, start time, boot and pid namespace, and that host holds a lock
// on it for as long as it lives. Every process of a turn carries the same ID in
// its environment. A sweep ends what belongs to a host that has provably ended
// and reports the rest as kept, with the reason. It never touches
//
//   - what belongs to a host that lives, in another container too,
//   - a pane on a shared server whose command does not name the dead host's
//     private directory, or whose program belongs to another host: no session is
//     ours for its name, and windows of other people's in a session of ours stay,
//   - another user's processes and directories,
//   - a directory that does not say whose it is, unless it is empty and older
//     than a minute,
//   - its own process and that one's ancestors, whatever they carry,
//   - a host that lives and was started in a turn of the dead one, and what has
//     inherited that one's mark from it.
//
// A process is told from a later one with its pid by its start time, and a
// signal is sent through a handle (Linux: a pidfd) on the one that was meant.
//
// # Zombies
//
// The process in a tmux pane is a child of the tmux server, so only the server
// can reap it. One before 3.6 that was built with libutempter forgets panes that
// end by themselves, until the next child of its ends or somebody sends it
// SIGCHLD; on a busy shared server they pile up. tmuxctl sends that signal by
// itself. A server that serves nobody else can simply be ended, and process 1
// then reaps what is left of it; where it does not, [Subreaper] does.
//
// # Systems
//
// Linux, macOS and FreeBSD; Subreaper is for Linux alone. Seen on tmux 3.1c,
// 3.3a, 3.5a and 3.8. Functions are safe for concurrent use.
package reaper
