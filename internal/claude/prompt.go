package claude

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/tuiturn/tuiturn/internal/agent"
	"github.com/tuiturn/tuiturn/internal/text"
)

// exitWords end the agent when they are all that is typed.
var exitWords = []string{"exit", "quit", ":q", ":q!", ":wq", ":wq!"}

// Disarm makes a prompt text for claude's input line. Mentions and magic words
// are turned off by the environment, see environ; what is left is
//
//   - a "/" or "!" in front, or an exit word alone: a backslash goes before it.
//     Nothing invisible would do: 2.1.330 takes that out before it looks.
//   - a backslash at the end, which would make Enter a new line, and a word at
//     the end that a list of completions opens for, in which Enter chooses: a
//     space goes behind the text. The agent removes it again.
//   - line ends other than a newline, and control characters, which versions
//     treat differently: see text.Normalize.
//   - the agent's own placeholders, where it would replace them: see foldLength.
//     All of them while its input line holds what an earlier prompt has left.
func (c Claude) Disarm(p *agent.Prompt, left []string) (string, error) {
	prompt := text.Normalize(p.Text)
	if !p.Commands {
		if at := firstVisible(prompt); actsAlone(prompt[at:]) {
			prompt = prompt[:at] + `\` + prompt[at:]
		}
	}
	if len(left) > 0 {
		prompt = breakPlaceholders(prompt, len(prompt), func(uint64) bool { return true })
	}
	for _, l := range left {
		if l != "" && strings.Contains(prompt, l) {
			return "", fmt.Errorf("%w: it repeats a prompt of over %d characters that was interrupted, which the agent would send as pasted text: have another prompt answered first, or close the conversation and go on with Runner.Resume", agent.ErrInvalidPrompt, foldLength)
		}
	}
	if !folds(prompt + " ") {
		return prompt + " ", nil
	}
	prompt = strings.TrimRightFunc(prompt, trimmed)
	return breakPlaceholders(prompt, unitsIndex(prompt, foldedHead), foldedID) + strings.Repeat(" ", foldedTail), nil
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

// The agent keeps a long input folded. When more than foldLength UTF-16 units
// stand in its input line, it moves all but the first foldedHead and the last
// foldedTail of them aside, and a placeholder takes their place:
// "[...Truncated text #1 +0 lines...]". On Enter it replaces every placeholder
// that has a content by that number, whoever has written it. What it has moved
// aside is not looked through again (2.1.104 to 2.1.332).
//
// So a placeholder in a long prompt matters only in its first and last units. The
// last are made of spaces, which the agent removes. In the first a backslash
// breaks the placeholder, if its number can be that of the content: 2.1.104 and
// 2.1.158 begin with 1, whatever the prompt says. 2.1.294 to 2.1.332 take a number
// that no placeholder in the prompt has, of those below 1<<31; above they count up
// as well, and do not look (2.1.294 and 2.1.332, by their source; not seen to run).
const (
	foldLength = 10_000
	foldedHead = 500
	foldedTail = 500
)

func foldedID(id uint64) bool { return id == 1 || id >= 1<<31 }

// folds tells whether the agent keeps text folded.
func folds(text string) bool {
	return len(text) > foldLength && units(text) > foldLength
}

// units is the length of s in UTF-16, in which the agent counts.
func units(s string) (n int) {
	for _, c := range s {
		n += utf16.RuneLen(c)
	}
	return n
}

// Leaves: what the agent has moved aside it keeps until a prompt has been taken,
// also when the input line is emptied or it has given the prompt back. A
// placeholder in the next prompt would be replaced by it, and where the next
// prompt holds the same text, the agent takes that part of it for pasted and puts
// it into tags (2.1.332).
func (c Claude) Leaves(p *agent.Prompt) (left string, ok bool) {
	if p.Pasted {
		return "", true
	}
	if !folds(p.Put) {
		return "", false
	}
	body := strings.TrimRightFunc(p.Put, trimmed)
	// Given back, the text has lost the spaces at its end, and is folded again.
	head, tail := unitsIndex(body, foldedHead), unitsIndex(body, units(body)-foldedTail)
	return body[head:max(head, tail)], true
}

// unitsIndex is the index of the byte in s behind its first n UTF-16 units, or
// behind a character that they cut.
func unitsIndex(s string, n int) int {
	for i, c := range s {
		if n <= 0 {
			return i
		}
		n -= utf16.RuneLen(c)
	}
	return len(s)
}

// placeholder is what the agent takes for a placeholder. ("Team setup guide" is
// there from 2.1.294 on.)
var placeholder = regexp.MustCompile(`\[(?:Pasted text|Image|\.\.\.Truncated text|✦ Team setup guide) #(\d+)(?: \+\d+ lines)?\.*\]`)

// breakPlaceholders puts a backslash into the placeholders that end within the
// first n bytes of s and have a number that matters.
func breakPlaceholders(s string, n int, matters func(id uint64) bool) string {
	var b strings.Builder
	done := 0
	for _, m := range placeholder.FindAllStringSubmatchIndex(s, -1) {
		id, err := strconv.ParseUint(s[m[2]:m[3]], 10, 64) // out of range, it is the highest
		if m[1] > n || err == nil && !matters(id) {
			continue
		}
		b.WriteString(s[done:m[0]+1] + `\`)
		done = m[0] + 1
	}
	return b.String() + s[done:]
}

// trimmed is what the agent removes at the end of its input.
func trimmed(c rune) bool { return unicode.IsSpace(c) || c == '\ufeff' }

// dropInvisible drops what 2.1.330 takes out of its input.
func dropInvisible(c rune) rune {
	if unicode.IsSpace(c) || text.IsVisible(c) {
		return c
	}
	return -1
}

// firstVisible is the index of the first character that is neither white space
// nor invisible: what 2.1.330 sees as the first. There is one, see checkPrompt.
func firstVisible(s string) int {
	return strings.IndexFunc(s, text.IsVisible)
}

// Took compares what was put in with what the transcript has. White space and characters that cannot be
// seen do not count, nor does how characters are composed: 2.1.330 takes the
// invisible out of all that is typed, 2.1.104 and 2.1.158 compose. Nor do
// backslashes: 2.1.330 puts one into the tag that it marks a paste with.
//
// Around what was pasted 2.1.330 puts tags.
func (c Claude) Took(p *agent.Prompt, recorded string) bool {
	if p.Pasted {
		// A key that was read as text must not pass for part of the paste.
		if strings.ContainsFunc(recorded, func(c rune) bool { return c < ' ' && !unicode.IsSpace(c) }) {
			return false
		}
		if m := pasteTags.FindStringSubmatch(recorded); m != nil {
			recorded = m[1]
		}
	}
	unescape := strings.NewReplacer(`\`, "")
	return text.Same(unescape.Replace(p.Put), unescape.Replace(recorded))
}

// pasteTags is how 2.1.330 gives what was pasted to the model.
var pasteTags = regexp.MustCompile(`(?s)^\s*<pasted_content id="[^"]*">(.*)</pasted_content[^>]*>\s*$`)

// Names: a command is recorded between tags, with its name.
func (c Claude) Names(p *agent.Prompt, recorded string) bool {
	return strings.Contains(recorded, strings.Fields(p.Put)[0])
}

// picture is the name of a file that claude attaches in place of its name when
// it is pasted, quoted and escaped in whatever way.
var picture = regexp.MustCompile(`(?i)\.(png|jpe?g|gif|webp|bmp|tiff?|heic)\b`)

// Pasted refuses the name of a picture: no change to the text would keep every
// version from sending the file along. The agent does not look for spaces at the end
// of what it folds, so one is enough.
func (c Claude) Pasted(p *agent.Prompt) (string, error) {
	if name := picture.FindString(p.Put); name != "" && !p.Mentions {
		return "", fmt.Errorf("%w: it has to be pasted, and a name that ends in %s would send the file along: spell the name differently, or set Request.AllowMentions", agent.ErrInvalidPrompt, name)
	}
	return strings.TrimRight(p.Put, " ") + " ", nil
}
