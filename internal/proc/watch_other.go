//go:build !(linux || darwin || dragonfly || freebsd || netbsd || openbsd)

package proc

func watch(pid int) (*Watcher, error) { return poll(pid), nil }
