package fakeagent

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/tuiturn/tuiturn/internal/uuid"
)

// edit opens the user's editor on the input line and takes the edited text. Only the
// editor reads the terminal meanwhile, because the main loop requests the next bytes
// only after it has handled a key.
func (a *agent) edit() {
	editor := os.Getenv("VISUAL")
	if editor == "" {
		editor = os.Getenv("EDITOR")
	}
	if editor == "" {
		return
	}
	name := filepath.Join(tempDir(), "claude-prompt-"+uuid.New()+".md")
	if os.WriteFile(name, []byte(a.line.value()), 0o644) != nil {
		return
	}
	defer os.Remove(name)
	raw, err := a.tty.restore()
	if err != nil {
		return
	}
	io.WriteString(os.Stdout, "\x1b[?1049h\x1b[0m\x1b[?25h\x1b[2J\x1b[H")
	// $EDITOR may hold arguments ("code --wait").
	c := exec.Command("/bin/sh", "-c", editor+` "$1"`, "sh", name)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.Env = childEnv()
	if err = c.Start(); err == nil {
		err = a.waitEditor(c)
	}
	if a.done {
		return
	}
	a.tty.resume(raw)
	a.screen.pieces = a.script.InPieces
	if a.script.AltScreen {
		io.WriteString(os.Stdout, "\x1b[2J\x1b[H")
	} else {
		io.WriteString(os.Stdout, "\x1b[?1049l")
	}
	if err != nil {
		return
	}
	if a.edits++; a.edits <= a.script.LostEdits {
		return
	}
	if b, err := os.ReadFile(name); err == nil {
		a.line.set(string(b))
	}
}

// tempDir returns the temporary directory. The agent makes it, with missing parents,
// whenever it needs it (2.1.330, 2.1.332).
func tempDir() string {
	dir := os.TempDir()
	os.MkdirAll(dir, 0o755)
	return dir
}

// waitEditor waits for the editor, or for a signal that ends the agent. When a terminal
// hangs up, Linux sends SIGHUP only to the session's leader; the editor gets it when the
// leader has ended. If the agent waited for the editor alone, both would wait for each
// other.
func (a *agent) waitEditor(c *exec.Cmd) error {
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	for {
		select {
		case err := <-ended:
			return err
		case s := <-a.signals:
			if a.signal(s); a.done {
				c.Process.Signal(syscall.SIGHUP)
				return nil
			}
		}
	}
}
