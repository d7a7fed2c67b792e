package terminaltest

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// helperArg as the first argument makes the test binary act as a program in a terminal. It
// is an argument, because one test is about the environment.
const helperArg = "terminaltest-helper"

// Main is the TestMain of a package that calls Run:
//
//	func TestMain(m *testing.M) { terminaltest.Main(m) }
//
// The programs that Run starts in terminals are the test binary itself.
func Main(m interface{ Run() int }) {
	if len(os.Args) > 2 && os.Args[1] == helperArg {
		helper(os.Args[2], os.Args[3:])
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A report describes how the role "report" was started. It has byte slices, because JSON
// strings cannot hold invalid UTF-8.
type report struct {
	Args, Env  [][]byte
	Dir        string
	Cols, Rows int
	Leader     bool // of its session, in the terminal's foreground
}

// helper acts in one role. If it returns, the program exits with status 0.
func helper(role string, args []string) {
	switch role {
	case "report": // FILE, anything: writes what it was started with
		must(save(args[0], describe(args[1:])))
	case "limits": // FILE: writes how large its core file may be
		var limit unix.Rlimit
		must(unix.Getrlimit(unix.RLIMIT_CORE, &limit))
		must(save(args[0], limit))
	case "print": // TEXT: prints it and stays
		os.Stdout.WriteString(args[0])
		stay()
	case "last": // TEXT: prints it and ends at once
		os.Stdout.WriteString(args[0])
	case "shrink": // makes its terminal small and tells when it is not any more
		must(pty.Setsize(os.Stdin, &pty.Winsize{Cols: 20, Rows: 4}))
		os.Stdout.WriteString("small")
		for {
			rows, cols, err := pty.Getsize(os.Stdin)
			must(err)
			if cols == 80 && rows == 24 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		os.Stdout.WriteString(" and large")
		stay()
	case "redraw": // prints its terminal's width whenever it changes
		changes := make(chan os.Signal, 1)
		signal.Notify(changes, syscall.SIGWINCH)
		for last := 0; ; <-changes {
			_, cols, err := pty.Getsize(os.Stdin)
			must(err)
			if cols != last {
				fmt.Print(cols, " ")
				last = cols
			}
		}
	case "receive": // FILE, N, SETUP: prints SETUP, then saves N bytes of input
		n, err := strconv.Atoi(args[1])
		must(err)
		must(makeRaw())
		os.Stdout.WriteString(args[2] + "ready\r\n")
		data := make([]byte, n)
		_, err = io.ReadFull(os.Stdin, data)
		must(err)
		must(save(args[0], data))
		stay()
	case "exit": // STATUS
		status, err := strconv.Atoi(args[0])
		must(err)
		os.Exit(status)
	case "signal": // NUMBER: ends by it
		n, err := strconv.Atoi(args[0])
		must(err)
		must(dieBy(syscall.Signal(n)))
	case "orphan": // FILE: leaves a child with the terminal open and ends
		must(save(args[0], []int{startStubborn(false)}))
		os.Exit(7)
	case "family": // FILE: stubborn, with a stubborn child and a detached one
		signal.Ignore(syscall.SIGHUP, syscall.SIGTERM)
		must(save(args[0], []int{startStubborn(false), startStubborn(true)}))
		stay()
	case "stubborn":
		signal.Ignore(syscall.SIGHUP, syscall.SIGTERM)
		os.NewFile(3, "ready").Close()
		stay()
	case "flood":
		for {
			if _, err := os.Stdout.WriteString("y\n"); err != nil {
				return
			}
		}
	default:
		must(fmt.Errorf("no role %q", role))
	}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "terminaltest helper:", err)
		os.Exit(99)
	}
}

// stay outlasts any test, and ends by itself if a test forgets it.
func stay() { time.Sleep(5 * time.Minute) }

// save writes v as JSON in one step: nobody sees half a file.
func save(file string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file+".part", data, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".part", file)
}

func describe(args []string) report {
	var r report
	for _, a := range args {
		r.Args = append(r.Args, []byte(a))
	}
	for _, kv := range os.Environ() {
		r.Env = append(r.Env, []byte(kv))
	}
	var err error
	r.Dir, err = os.Getwd()
	must(err)
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	must(err)
	size, err := unix.IoctlGetWinsize(int(tty.Fd()), unix.TIOCGWINSZ)
	must(err)
	r.Cols, r.Rows = int(size.Col), int(size.Row)
	sid, err := unix.Getsid(0)
	must(err)
	foreground, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	must(err)
	r.Leader = sid == os.Getpid() && foreground == sid
	return r
}

func makeRaw() error {
	t, err := unix.IoctlGetTermios(0, getTermios)
	if err != nil {
		return err
	}
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(0, setTermios, t)
}

// dieBy ends this process by sig. The Go runtime handles fault signals, so a plain kill
// would run its handlers. An exec of a shell restores the default, and the shell then
// sends the signal to itself.
func dieBy(sig syscall.Signal) error {
	return syscall.Exec("/bin/sh", []string{"sh", "-c", fmt.Sprintf("ulimit -c 0; kill -%d $$", sig)}, os.Environ())
}

// startStubborn starts a child that ignores the signals that usually end a program. It
// returns the child's pid when the child ignores them.
func startStubborn(detached bool) int {
	r, w, err := os.Pipe()
	must(err)
	cmd := exec.Command(os.Args[0], helperArg, "stubborn")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: detached, Setpgid: !detached}
	must(cmd.Start())
	w.Close()
	io.Copy(io.Discard, r)
	return cmd.Process.Pid
}
