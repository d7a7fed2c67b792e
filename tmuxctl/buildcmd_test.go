package tmuxctl_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/tmuxctl"
)

// shells are the POSIX shells of this machine that a command line is tried on.
func shells(t testing.TB) []string {
	var found []string
	for _, name := range []string{"/bin/sh", "/bin/bash", "/bin/dash", "/bin/zsh", "/bin/ksh"} {
		if _, err := os.Stat(name); err == nil {
			found = append(found, name)
		}
	}
	if len(found) == 0 {
		t.Skip("no shell on this machine")
	}
	return found
}

// run has shell become c, where c.Path is this test binary as the helper that
// tells what it was given.
func run(t testing.TB, shell string, c tmuxctl.Command) (args, env []string, dir string) {
	t.Helper()
	is := is.New(t)
	out := filepath.Join(t.TempDir(), "out")
	self, err := os.Executable()
	is.NoErr(err)
	c.Path = self
	c.Args = append([]string{tellArg, out}, c.Args...)
	line, err := tmuxctl.BuildCmd(c)
	is.NoErr(err)
	cmd := exec.Command(shell, "-s")
	// The race detector makes a program sleep for a second when it ends.
	cmd.Env = []string{"PATH=/usr/bin:/bin", "INHERITED=yes", "CDPATH=/usr", "GORACE=atexit_sleep_ms=0"}
	cmd.Stdin = strings.NewReader(line + "\n")
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s\n%s", shell, err, said, line)
	}
	told, err := os.ReadFile(out)
	is.NoErr(err)
	return parseTold(told)
}

func TestBuildCmdRoundTrips(t *testing.T) {
	every := make([]byte, 0, 255)
	for b := 1; b < 256; b++ {
		every = append(every, byte(b))
	}
	values := []string{
		"", " ", "plain", "two words", "it's", `"`, `\`, `\\'`, "$(touch pwned)", "`touch pwned`",
		"a\nb", "a\r\nb", "\t", "*", "~", "#", "!", "&", ";", "|", "<>", "=", "-n", "--", "é", "日本", "👍🏽",
		"\xff\xfe", "\x1b[201~", "%s%n", "a;", ";", "\\", "'", "''", string(every), strings.Repeat("x'", 50_000),
	}
	for _, shell := range shells(t) {
		t.Run(filepath.Base(shell), func(t *testing.T) {
			is := is.New(t)
			var env []string
			for i, v := range values {
				env = append(env, fmt.Sprintf("V%d=%s", i, v))
			}
			args, gotEnv, _ := run(t, shell, tmuxctl.Command{Args: values, Env: env})
			is.Equal(args, values)
			for _, kv := range env {
				is.True(slices.Contains(gotEnv, kv)) // arrived byte for byte
			}
		})
	}
}

func TestBuildCmdKeepsToWhatItNames(t *testing.T) {
	for _, shell := range shells(t) {
		t.Run(filepath.Base(shell), func(t *testing.T) {
			is := is.New(t)
			dir := filepath.Join(t.TempDir(), `it's "here" $HOME`)
			is.NoErr(os.Mkdir(dir, 0o700))
			_, env, got := run(t, shell, tmuxctl.Command{
				Dir:   dir,
				Env:   []string{"A=1", "B=2", "A=3"},
				Unset: []string{"CDPATH", "PWD", "OLDPWD"},
			})
			want, err := filepath.EvalSymlinks(dir)
			is.NoErr(err)
			is.Equal(got, want)
			is.True(slices.Contains(env, "INHERITED=yes")) // not named, so inherited
			is.True(slices.Contains(env, "A=3"))           // the last of a name wins
			for _, kv := range env {
				name, _, _ := strings.Cut(kv, "=")
				is.True(!slices.Contains([]string{"CDPATH", "PWD", "OLDPWD"}, name)) // unset
			}
		})
	}
}

func TestBuildCmdStopsWhereTheDirectoryIsMissing(t *testing.T) {
	is := is.New(t)
	mark := filepath.Join(t.TempDir(), "ran")
	line, err := tmuxctl.BuildCmd(tmuxctl.Command{Path: "touch", Args: []string{mark}, Dir: "/nonexistent/dir"})
	is.NoErr(err)
	cmd := exec.Command(shells(t)[0], "-c", line)
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	is.True(cmd.Run() != nil) // the shell fails
	_, err = os.Stat(mark)
	is.True(os.IsNotExist(err)) // and has not run the program elsewhere
}

func TestBuildCmdRefuses(t *testing.T) {
	ok := tmuxctl.Command{Path: "/bin/true"}
	for name, c := range map[string]tmuxctl.Command{
		"no program":            {},
		"a program as option":   {Path: "-a"},
		"NUL in the program":    {Path: "/bin/\x00"},
		"NUL in an argument":    {Path: ok.Path, Args: []string{"a\x00b"}},
		"NUL in a value":        {Path: ok.Path, Env: []string{"A=\x00"}},
		"NUL in the directory":  {Path: ok.Path, Dir: "/\x00"},
		"no equals sign":        {Path: ok.Path, Env: []string{"secret-value"}},
		"an empty name":         {Path: ok.Path, Env: []string{"=x"}},
		"code in a name":        {Path: ok.Path, Env: []string{"A;touch pwned;B=x"}},
		"a digit first":         {Path: ok.Path, Env: []string{"1A=x"}},
		"a shell's own":         {Path: ok.Path, Env: []string{"OPTIND=x"}},
		"code in a name unset":  {Path: ok.Path, Unset: []string{"A; touch pwned"}},
		"an empty name unset":   {Path: ok.Path, Unset: []string{""}},
		"non-ASCII in a name":   {Path: ok.Path, Env: []string{"Ä=x"}},
		"a newline in the name": {Path: ok.Path, Env: []string{"A\nB=x"}},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			line, err := tmuxctl.BuildCmd(c)
			is.True(err != nil)
			is.Equal(line, "")
			is.True(!strings.Contains(err.Error(), "secret-value")) // a value is never in an error
		})
	}
}

// Each variable that a shell knows either arrives as given or is refused.
func TestBuildCmdKnowsTheShellsOwnVariables(t *testing.T) {
	for _, shell := range shells(t) {
		t.Run(filepath.Base(shell), func(t *testing.T) {
			is := is.New(t)
			list := exec.Command(shell, "-c", "set")
			list.Env = []string{"PATH=/usr/bin:/bin"}
			out, err := list.Output()
			is.NoErr(err)
			names := []string{"RANDOM", "SECONDS", "LINENO", "OPTIND", "OPTARG", "MAILCHECK", "HISTSIZE", "PS1", "ENV", "LC_ALL", "LANG", "IFS", "CDPATH"}
			for line := range strings.Lines(string(out)) {
				if name, _, ok := strings.Cut(line, "="); ok {
					names = append(names, name)
				}
			}
			var env []string
			for _, name := range names {
				kv := name + "=some value"
				if _, err := tmuxctl.BuildCmd(tmuxctl.Command{Path: "x", Env: []string{kv}}); err == nil {
					env = append(env, kv)
				}
			}
			_, got, _ := run(t, shell, tmuxctl.Command{Env: env})
			for _, kv := range env {
				if !slices.Contains(got, kv) {
					t.Errorf("%s did not arrive and was not refused", kv)
				}
			}
		})
	}
}

func FuzzBuildCmd(f *testing.F) {
	f.Add("arg", "value", "X")
	f.Add("'; touch pwned; '", "$(touch pwned)\n", "_")
	f.Add("\xff\\", "\x80'", "A1")
	shell := shells(f)[0]
	f.Fuzz(func(t *testing.T, arg, value, name string) {
		c := tmuxctl.Command{Path: "x", Args: []string{arg}, Env: []string{name + "=" + value}}
		if _, err := tmuxctl.BuildCmd(c); err != nil {
			return
		}
		args, env, _ := run(t, shell, c)
		if len(args) != 1 || args[0] != arg {
			t.Fatalf("argument %q arrived as %q", arg, args)
		}
		if !slices.Contains(env, c.Env[0]) {
			t.Fatalf("variable %q did not arrive", c.Env[0])
		}
	})
}
