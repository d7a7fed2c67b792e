// Package lease says of a private directory, and of every process that is
// started for it, whose they are and whether their host still lives.
//
// A lease is a directory "tuiturn-*" (mode 0700) and a host, the process that
// made it. Three things prove the one to be the other's:
//
//   - The host holds a lock on the directory itself for as long as it lives. The
//     kernel drops it when the host dies, however it dies, and it counts across
//     pid namespaces too.
//   - A file "lease" in the directory carries the lease's ID, which names the
//     host: pid, start time, boot, pid namespace.
//   - Every process that is started for the lease carries the ID in its
//     environment, so it can be told even when a cleaner of temporary files has
//     taken the directory away.
//
// A file system that several machines share, and whose locks don't reach from one
// to the other (9p, for one), is no place for a lease: the sweep of one machine
// takes the other's for what is left of an earlier boot.
//
// Whoever sweeps up later takes a lease for dead only if that is proven, and
// leaves alone what it can't judge. It seldom has to: each lease has a guardian,
// a shell that does nothing but wait for the host's end, and then ends what the
// host has left.
package lease
