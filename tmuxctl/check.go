package tmuxctl

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// checkExecutable finds what exec would say about path, before it is too late
// to be told: tmux reports success for a program that does not exist.
func checkExecutable(path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("program %q: give its absolute path", path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() {
		err = syscall.EACCES // as exec has it
	} else {
		err = unix.Access(path, unix.X_OK)
	}
	if err != nil {
		return &fs.PathError{Op: "exec", Path: path, Err: err}
	}
	return nil
}

func checkDir(path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("directory %q: give its absolute path", path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		err = syscall.ENOTDIR
	} else {
		err = unix.Access(path, unix.X_OK)
	}
	if err != nil {
		return &fs.PathError{Op: "chdir", Path: path, Err: err}
	}
	return nil
}
