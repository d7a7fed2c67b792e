// Package lease records which process a private directory, and every process that is
// started for it, belongs to, and tells whether that process still lives.
//
// A lease is a directory "tuiturn-*" with mode 0700. Its host is the process that made
// it. Three things prove that a lease belongs to a host:
//
//   - The host holds a lock on the directory for as long as it lives. The kernel drops
//     the lock when the host dies, for whatever reason. The lock works across pid
//     namespaces.
//   - A file "lease" in the directory holds the lease's ID, which names the host: pid,
//     start time, boot, pid namespace.
//   - Every process that is started for the lease carries the ID in its environment, in
//     an entry called its mark. So its owner is known even after a cleaner of temporary
//     files has removed the directory.
//
// A sweep ends a lease only if its host is proven dead, and leaves alone what it can't
// judge. A sweep seldom finds a dead lease, because each lease has a guardian: a shell
// process that waits for the host's end and then ends what the host has left.
//
// Don't put leases on a file system that several machines share and whose locks don't
// work between machines, such as 9p. The sweep of one machine would take another
// machine's lease for a leftover of an earlier boot.
package lease
