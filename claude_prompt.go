package tuiturn

import (
	"strings"
	"unicode"
)

// exitWords end the agent when they are all that is typed.
var exitWords = []string{"exit", "quit", ":q", ":q!", ":wq", ":wq!"}

// disarm makes a prompt text for claude's input line. Mentions and magic words
// are turned off by the environment, see env; what is left is
//
//   - a "/" or "!" in front, or an exit word alone: a backslash goes before it.
//     Nothing invisible would do: 2.1.330 takes that out before it looks.
//   - a backslash at the end, which would make Enter a new line, and a word at
//     the end that a list of completions opens for, in which Enter chooses: a
//     space goes behind the text. The agent removes it again.
//   - line ends other than a newline, and control characters, which versions
//     treat differently: see normalize.
func (c Claude) disarm(req *Request) string {
	prompt := normalize(req.Prompt)
	if !req.AllowCommands {
		if at := firstVisible(prompt); actsAlone(prompt[at:]) {
			prompt = prompt[:at] + `\` + prompt[at:]
		}
	}
	return prompt + " "
}

// actsAlone tells whether a text that begins with something visible would be
// taken for a command.
func actsAlone(s string) bool {
	if s[0] == '/' || s[0] == '!' {
		return true
	}
	word := strings.TrimSpace(strings.Map(dropInvisible, s))
	for _, exit := range exitWords {
		if strings.EqualFold(word, exit) {
			return true
		}
	}
	return false
}

// dropInvisible drops what 2.1.330 takes out of its input.
func dropInvisible(c rune) rune {
	if unicode.IsSpace(c) || isVisible(c) {
		return c
	}
	return -1
}

// firstVisible is the index of the first character that is neither white space
// nor invisible: what 2.1.330 sees as the first. There is one, see checkPrompt.
func firstVisible(s string) int {
	return strings.IndexFunc(s, isVisible)
}

// normalize ends lines with a newline alone and shows other control characters
// as the pictures that Unicode has for them, ESC as "␛". Agents remove or obey
// them, each version differently; U+FFFD stands for those without a picture.
func normalize(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	return strings.Map(func(c rune) rune {
		switch {
		case c == '\t' || c == '\n' || !unicode.IsControl(c):
			return c
		case c < ' ':
			return '\u2400' + c
		case c == 0x7f:
			return '\u2421'
		}
		return unicode.ReplacementChar
	}, s)
}
