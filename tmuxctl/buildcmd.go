package tmuxctl

import (
	"fmt"
	"slices"
	"strings"
)

// A Command describes a program: path, arguments, environment and directory.
type Command struct {
	// Path is the program. Without a slash it is looked up in PATH as Env
	// leaves it.
	Path string

	// Args are the program's arguments, without its name.
	Args []string

	// Env are variables to set, "KEY=VALUE" each. If a name occurs twice, the last
	// entry counts. Unset are names to remove first. All other variables are
	// inherited from the shell.
	Env   []string
	Unset []string

	// Dir is the working directory; empty means the shell's directory.
	Dir string
}

// BuildCmd returns a command line that makes a POSIX shell run c in its own place
// (exec). No name, argument or value in it can turn into code. Every byte but NUL
// arrives unchanged.
//
// BuildCmd refuses three things: NUL anywhere, a variable name that is not
// [A-Za-z_][A-Za-z0-9_]*, and a variable that the shell sets itself (PWD, OPTIND,
// UID, …), whose value would not arrive.
//
// The string holds the values of Env. If you pass it as an argument, every user of
// the host can read them: [Server.NewSession] avoids that.
func BuildCmd(c Command) (string, error) {
	if err := c.check(); err != nil {
		return "", fmt.Errorf("building a command line: %w", err)
	}
	var b strings.Builder
	if c.Dir != "" {
		// First, so that the PWD and OLDPWD it exports can be unset. -P, and
		// never a bare relative name: CDPATH and "-" must not act.
		b.WriteString("cd -P -- " + quote(anchor(c.Dir)) + " || exit; ")
	}
	if len(c.Unset) > 0 {
		b.WriteString("unset " + strings.Join(c.Unset, " ") + "; ")
	}
	for _, kv := range dedupEnv(c.Env) {
		name, value, _ := strings.Cut(kv, "=")
		b.WriteString("export " + name + "=" + quote(value) + "; ")
	}
	path := c.Path
	if strings.Contains(path, "/") {
		path = anchor(path)
	}
	b.WriteString("exec " + quote(path))
	for _, arg := range c.Args {
		b.WriteString(" " + quote(arg))
	}
	return b.String(), nil
}

func (c Command) check() error {
	switch {
	case c.Path == "":
		return fmt.Errorf("no program: set Command.Path")
	case strings.HasPrefix(c.Path, "-") && !strings.Contains(c.Path, "/"):
		return fmt.Errorf("program %q would be read as an option: give its full path", c.Path)
	}
	for _, kv := range c.Env {
		name, _, ok := strings.Cut(kv, "=")
		if !ok {
			// Not the entry itself: it may be a value that lost its name.
			return fmt.Errorf("an environment entry has no \"=\": write KEY=VALUE")
		}
		if err := checkName(name); err != nil {
			return err
		}
		if slices.Contains(shellOwned, name) {
			return fmt.Errorf("variable %s belongs to the shell, which sets it itself: leave it out", name)
		}
		if strings.Contains(kv, "\x00") {
			return fmt.Errorf("the value of %s holds a NUL byte, which no environment can carry", name)
		}
	}
	for _, name := range c.Unset {
		if err := checkName(name); err != nil {
			return err
		}
	}
	for _, s := range append([]string{c.Path, c.Dir}, c.Args...) {
		if strings.Contains(s, "\x00") {
			return fmt.Errorf("the program, its directory or an argument holds a NUL byte, which no command line can carry")
		}
	}
	return nil
}

// shellOwned are the variables that dash or bash keeps read-only, resets on its
// own, or acts on when they are assigned. Found by assigning each variable that
// dash 0.5.12 and bash 5.2 list, and seeing which did not arrive.
var shellOwned = []string{
	"BASHOPTS", "BASHPID", "BASH_ALIASES", "BASH_ARGC", "BASH_ARGV",
	"BASH_ARGV0", "BASH_CMDS", "BASH_COMMAND", "BASH_LINENO", "BASH_SOURCE",
	"BASH_SUBSHELL", "BASH_VERSINFO", "COMP_WORDBREAKS", "DIRSTACK",
	"EPOCHREALTIME", "EPOCHSECONDS", "EUID", "FUNCNAME", "GROUPS", "HISTCMD",
	"LINENO", "OLDPWD", "OPTIND", "PPID", "PWD", "RANDOM", "SECONDS",
	"SHELLOPTS", "SHLVL", "SRANDOM", "UID", "_",
}

func checkName(name string) error {
	for i, r := range []byte(name) {
		letter := r == '_' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return fmt.Errorf("%q is not a variable name: use letters, digits and _", name)
		}
	}
	if name == "" {
		return fmt.Errorf("a variable has an empty name")
	}
	return nil
}

// dedupEnv keeps the last entry of each name, in the order of their first.
func dedupEnv(env []string) []string {
	at := make(map[string]int, len(env))
	var out []string
	for _, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		if i, ok := at[name]; ok {
			out[i] = kv
			continue
		}
		at[name] = len(out)
		out = append(out, kv)
	}
	return out
}

// quote makes s one word of a POSIX shell that stands for exactly s. Between
// single quotes nothing is special but the single quote.
func quote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// anchor keeps a relative path from being taken for an option or looked up.
func anchor(path string) string {
	if strings.HasPrefix(path, "/") {
		return path
	}
	return "./" + path
}
