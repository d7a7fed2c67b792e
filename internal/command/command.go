// Package command runs programs whose output must be whole on a busy machine.
package command

import (
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Output runs cmd and returns what it has written to its standard output and standard
// error. An *exec.ExitError has the latter, too. cmd.Stdout and cmd.Stderr must be nil.
//
// Output does not wait for other processes that keep the pipes open. It returns all that
// was written when cmd ended. (cmd.Output with a WaitDelay loses that on a busy machine,
// where nobody may have read the pipe when the delay is over.)
func Output(cmd *exec.Cmd) (stdout, stderr []byte, err error) {
	out, theirOut, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer out.Close()
	said, theirSaid, err := os.Pipe()
	if err != nil {
		theirOut.Close()
		return nil, nil, err
	}
	defer said.Close()
	cmd.Stdout, cmd.Stderr = theirOut, theirSaid
	err = cmd.Start()
	theirOut.Close()
	theirSaid.Close()
	if err != nil {
		return nil, nil, err
	}
	var reading sync.WaitGroup
	reading.Go(func() { stdout, _ = io.ReadAll(out) })
	reading.Go(func() { stderr, _ = io.ReadAll(said) })
	err = cmd.Wait()
	now := time.Now()
	out.SetReadDeadline(now)
	said.SetReadDeadline(now)
	reading.Wait()
	stdout, stderr = append(stdout, unread(out)...), append(stderr, unread(said)...)
	if exit, ok := err.(*exec.ExitError); ok {
		exit.Stderr = stderr
	}
	return stdout, stderr, err
}

// unread returns what a pipe holds, without waiting for more.
func unread(pipe *os.File) []byte {
	const most = 64 << 10 // what was there; somebody may still write
	buf := make([]byte, most)
	have := 0
	pipe.SetReadDeadline(time.Time{})
	conn, err := pipe.SyscallConn()
	if err != nil {
		return nil
	}
	conn.Read(func(fd uintptr) bool {
		for have < most {
			n, err := syscall.Read(int(fd), buf[have:])
			if err == syscall.EINTR {
				continue
			}
			if n <= 0 {
				break
			}
			have += n
		}
		return true
	})
	return buf[:have]
}
