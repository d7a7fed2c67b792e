package fakeagent

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/exectest"
)

func TestAnswersPromptAfterPrompt(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	r := start(t, Script{}, setup{}).ready()
	_, err := os.Stat(r.transcript())
	is.True(os.IsNotExist(err)) // no transcript before the first prompt

	r.submit("one")
	r.over(1)
	r.submit("two")
	rs := r.over(2)
	is.Equal(conversation(rs), strings.TrimSpace(strings.Repeat("user assistant:end_turn system:turn_duration ", 2)))
	answers := only(rs, "assistant")
	is.Equal(answers[0].text(), "You said: one")
	is.Equal(answers[1].text(), "You said: two")
	r.screen("You said: two")

	parent := ""
	for _, rec := range rs {
		if rec.UUID == "" {
			continue
		}
		is.Equal(rec.ParentUUID, parent) // the lines form one chain
		is.Equal(rec.SessionID, r.session)
		is.Equal(rec.Cwd, r.dir)
		is.Equal(rec.Version, Version)
		is.True(rec.Timestamp != "")
		parent = rec.UUID
	}

	r.send("/exit\r")
	st := r.wait()
	is.True(st.Exited())
	is.Equal(st.ExitStatus(), 0)
	r.output("the hint to resume", func(s string) bool { return strings.Contains(s, "claude --resume "+r.session) })
	r.output("paste mode off", func(s string) bool { return strings.HasSuffix(s[:strings.LastIndex(s, "\x1b[?25h")], "\x1b[?2004l") })
}

func TestPasteArrivesWithItsTabsAsSpaces(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	r := start(t, Script{}, setup{}).ready()
	big := strings.Repeat("0123456789\t\n", 5_000)
	r.send("\x1b[200~" + big + "\x1b[201~")
	r.screen("[Pasted text #1 +5000 lines]")
	r.send("\r")
	is.Equal(only(r.over(1), "user")[0].text(), strings.TrimRight(strings.ReplaceAll(big, "\t", "    "), "\n "))
}

func TestInputLineIsDangerous(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	r := start(t, Script{}, setup{}).ready()
	is.NoErr(os.WriteFile(filepath.Join(r.dir, "secret"), []byte("s3cr3t"), 0o600))

	r.submit("!touch made; echo done-$((40+2))")
	r.screen("done-42")
	_, err := os.Stat(filepath.Join(r.dir, "made"))
	is.NoErr(err) // a shell command runs unasked

	r.submit("  /help")
	r.screen("the command help ran")

	r.submit("read @secret please")
	rs := r.over(1)
	files := only(rs, "attachment")
	is.Equal(len(files), 1)
	is.Equal(files[0].Attachment.Content.File.Content, "s3cr3t")
	users := only(rs, "user")
	is.Equal(users[len(users)-1].text(), "read @secret please")

	r.submit("quit")
	is.Equal(r.wait().ExitStatus(), 0)
}

func TestMentionsCanBeForbidden(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	r := start(t, Script{NewInput: true}, setup{env: []string{"CLAUDE_CODE_DISABLE_ATTACHMENTS=1"}}).ready()
	is.NoErr(os.WriteFile(filepath.Join(r.dir, "secret"), []byte("s3cr3t"), 0o600))
	r.submit("read @secret please")
	is.Equal(len(only(r.over(1), "attachment")), 0)
}

func TestEditorDoor(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	dir := t.TempDir()
	text := "!touch made\n\tindented \"$(x)\" 🙂"
	is.NoErr(os.WriteFile(filepath.Join(dir, "text"), []byte(text+"\n"), 0o600))
	editor := filepath.Join(dir, "editor")
	exectest.Write(t, editor, "#!/bin/sh\necho \"$2\" > "+dir+"/name\nstty -a < /dev/tty > "+dir+"/modes\ncp "+dir+"/text \"$2\"\n")
	r := start(t, Script{}, setup{env: []string{"EDITOR=" + editor + " --wait"}}).ready()
	r.send("\x07")
	r.screen("indented")
	r.send("\r")
	rs := r.over(1)
	is.Equal(only(rs, "user")[0].text(), text)
	_, err := os.Stat(filepath.Join(r.dir, "made"))
	is.True(os.IsNotExist(err)) // a "!" from the editor is text

	name, err := os.ReadFile(filepath.Join(dir, "name"))
	is.NoErr(err)
	is.True(strings.HasPrefix(string(name), filepath.Join(r.tmp, "claude-prompt-")))
	left, err := os.ReadDir(r.tmp)
	is.NoErr(err)
	is.Equal(len(left), 0) // the editor's file is gone
	modes, err := os.ReadFile(filepath.Join(dir, "modes"))
	is.NoErr(err)
	is.True(strings.Contains(string(modes), " icanon")) // the editor got an ordinary terminal
}

func TestHangupWhileTheEditorWaits(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	dir := t.TempDir()
	fifo, editor := filepath.Join(dir, "fifo"), filepath.Join(dir, "editor")
	is.NoErr(syscall.Mkfifo(fifo, 0o600))
	exectest.Write(t, editor, "#!/bin/sh\necho > "+dir+"/opened\nexec cat "+fifo+" > \"$1\"\n")
	r := start(t, Script{}, setup{env: []string{"VISUAL=" + editor, "EDITOR=false"}}).ready()
	r.send("\x07")
	r.poll("opened editor", func() (string, bool) {
		_, err := os.Stat(filepath.Join(dir, "opened"))
		return "", err == nil
	})
	r.pty.Close()
	is.Equal(r.wait().ExitStatus(), 129)
}

func TestWithoutEditorTheKeyDoesNothing(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	dir := t.TempDir()
	r := start(t, Script{NoEditor: true}, setup{env: []string{"EDITOR=touch " + dir + "/opened"}}).ready()
	r.send("\x07hi\r")
	is.Equal(only(r.over(1), "user")[0].text(), "hi")
	_, err := os.Stat(filepath.Join(dir, "opened"))
	is.True(os.IsNotExist(err))
}

func TestSwallowedEnters(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	r := start(t, Script{Turns: []Turn{{SwallowEnters: 2}, {}}}, setup{}).ready()
	r.send("a\r\rb\r")
	is.Equal(only(r.over(1), "user")[0].text(), "ab")
	r.submit("c")
	is.Equal(only(r.over(2), "user")[1].text(), "c")
}

func TestKeysBeforeReadyAreLost(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	r := start(t, Script{BootDelay: 150 * time.Millisecond, DeafDelay: 500 * time.Millisecond}, setup{})
	r.send("early")
	r.ready()
	r.send("deaf")
	r.insist("x", "❯\u00a0x")
	r.send("\r")
	is.Equal(strings.Trim(only(r.over(1), "user")[0].text(), "x"), "")
}

func TestThemeAndTrustDialogs(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	r := start(t, Script{TrustNo: true}, setup{seed: `{"keep":12345678901234567890}`})
	r.screen("Choose the text style")
	r.send("\r")
	r.screen("❯ No, exit")
	r.send("\x1b[B")
	r.screen("❯ Yes, I trust this folder")
	r.send("\r")
	r.ready()
	b, err := os.ReadFile(filepath.Join(r.home, ".claude.json"))
	is.NoErr(err)
	is.True(strings.Contains(string(b), "12345678901234567890")) // the rest is kept
	is.True(home{r.home}.onboarded())
	is.True(home{r.home}.trusted(r.dir))
}

func TestBlindEnterOnTheTrustDialogOfTheNewVersionExits(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	r := start(t, Script{TrustNo: true}, setup{seed: `{"hasCompletedOnboarding":true}`})
	r.screen("❯ No, exit")
	r.send("\r")
	is.Equal(r.wait().ExitStatus(), 1)
}

func TestNoSeedShowsTheThemePicker(t *testing.T) {
	t.Parallel()
	r := start(t, Script{}, setup{seed: "-"})
	r.screen("Choose the text style")
}

func TestControlCTwiceExits(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	r := start(t, Script{}, setup{}).ready()
	r.send("text\x03\x03")
	is.Equal(r.wait().ExitStatus(), 0)
}

func TestResume(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	r := start(t, Script{}, setup{}).ready()
	r.submit("first")
	rs := r.over(1)
	last := ""
	for _, rec := range rs {
		if rec.UUID != "" {
			last = rec.UUID
		}
	}
	r.submit("exit")
	r.wait()

	r2 := start(t, Script{}, setup{home: r.home, args: []string{"--resume", r.session, "--", "second"}})
	r2.session = r.session
	users := only(r2.over(2), "user")
	is.Equal(users[1].text(), "second") // a prompt on the command line
	is.Equal(users[1].ParentUUID, last)

	out, err := newHome(t, Script{}, setup{home: r.home, args: []string{"--session-id", r.session}}).noScreen()
	is.True(err != nil)
	is.True(strings.Contains(out, "is already in use"))
	out, err = newHome(t, Script{}, setup{args: []string{"--resume", someID}}).noScreen()
	is.True(err != nil)
	is.True(strings.Contains(out, "No conversation found with session ID: "+someID))
}

// noScreen runs an agent that is expected to end at once, and returns what it
// said.
func (r *runner) noScreen() (string, error) {
	f, tty, err := pty.Open()
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	defer tty.Close()
	var out strings.Builder
	r.cmd.Stdin, r.cmd.Stdout, r.cmd.Stderr = tty, &out, &out
	err = r.cmd.Run()
	return out.String(), err
}

func TestEndsAtOnceOnBadArguments(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	out, err := newHome(t, Script{}, setup{args: []string{"--version"}}).noScreen()
	is.NoErr(err)
	is.Equal(out, "0.0.0-fake (Claude Code)\n")
	out, err = newHome(t, Script{}, setup{args: []string{"--safe-mode"}}).noScreen()
	is.Equal(err.(*exec.ExitError).ExitCode(), 1)
	is.Equal(out, "error: unknown option '--safe-mode'\n")

	cmd := newHome(t, Script{}, setup{}).cmd
	b, err := cmd.CombinedOutput()
	is.True(err != nil)
	is.True(strings.Contains(string(b), "not a terminal"))
}

func TestAltScreenAndResize(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	r := start(t, Script{AltScreen: true, Footer: "my footer"}, setup{})
	r.screen("my footer")
	r.output("the alternate screen", func(s string) bool { return strings.Contains(s, "\x1b[?1049h") })
	is.NoErr(pty.Setsize(r.pty, &pty.Winsize{Rows: 10, Cols: 33}))
	r.output("a rule of the new width", func(s string) bool {
		return strings.Contains(s, "\n"+strings.Repeat("─", 33)+"\x1b[K")
	})
}

func TestEndsWithItsTerminal(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	r := start(t, Script{Turns: []Turn{{Hang: true}}}, setup{}).ready()
	r.submit("x")
	r.screen("Working")
	is.NoErr(r.cmd.Process.Signal(syscall.SIGHUP))
	is.Equal(r.wait().ExitStatus(), 129)

	r = start(t, Script{}, setup{}).ready()
	is.NoErr(r.cmd.Process.Signal(syscall.SIGTERM))
	is.Equal(r.wait().ExitStatus(), 143)

	r = start(t, Script{}, setup{}).ready()
	r.pty.Close() // the hang-up itself
	is.Equal(r.wait().ExitStatus(), 129)
}
