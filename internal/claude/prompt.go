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

// exitWords end the agent when one of them is the whole input.
var exitWords = []string{"exit", "quit", ":q", ":q!", ":wq", ":wq!"}

// Disarm makes a prompt mere text for claude's input line. The environment turns off
// mentions and magic words: see environ. Disarm handles the rest:
//
//   - A "/" or "!" in front, or an exit word alone, gets a backslash before it. An
//     invisible character would not help: 2.1.330 removes it before it looks.
//   - A space goes behind the text, and the agent removes it again. Without the space,
//     a backslash at the end would make Enter a new line. A word at the end could open
//     a list of completions, in which Enter chooses.
//   - Line ends other than a newline, and control characters, are normalized, because
//     versions treat them differently: see text.Normalize.
//   - The agent's own placeholders get a backslash where the agent would replace them:
//     see foldLength. While the input line holds text of an earlier prompt, all of them
//     get one.
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
			return "", fmt.Errorf("%w: it repeats an interrupted prompt of over %d characters, and the agent would send the repeated part as pasted text: have another prompt answered first, or close the conversation and go on with Runner.Resume", agent.ErrInvalidPrompt, foldLength)
		}
	}
	if !folds(prompt + " ") {
		return prompt + " ", nil
	}
	prompt = strings.TrimRightFunc(prompt, trimmed)
	return breakPlaceholders(prompt, unitsIndex(prompt, foldedHead), foldedID) + strings.Repeat(" ", foldedTail), nil
}

// actsAlone tells whether the agent would take a text for a command. The text begins
// with a visible character.
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

// The agent keeps a long input folded. When the input line holds more than foldLength
// UTF-16 units, the agent moves all but the first foldedHead and the last foldedTail
// units out of it. A placeholder takes their place: "[...Truncated text #1 +0
// lines...]". On Enter the agent replaces every placeholder whose number has a content,
// whoever has written the placeholder. It does not look for placeholders in the moved
// text (2.1.104 to 2.1.332).
//
// So a placeholder in a long prompt matters only in the first and the last units.
// Disarm makes the last units of spaces, which the agent removes. In the first units a
// backslash breaks the placeholder if its number can be the content's. 2.1.104 and
// 2.1.158 number contents from 1, whatever the prompt says. 2.1.294 to 2.1.332 take a
// number that no placeholder in the prompt has, but compare only numbers below 1<<31.
// From there on they count up without comparing (2.1.294 and 2.1.332, by their source;
// not seen to run).
const (
	foldLength = 10_000
	foldedHead = 500
	foldedTail = 500
)

func foldedID(id uint64) bool { return id == 1 || id >= 1<<31 }

// folds tells whether the agent folds a text.
func folds(text string) bool {
	return len(text) > foldLength && units(text) > foldLength
}

// units returns the length of s in UTF-16 units, in which the agent counts.
func units(s string) (n int) {
	for _, c := range s {
		n += utf16.RuneLen(c)
	}
	return n
}

// Leaves returns the text that the agent has moved out of the input line. The agent
// keeps that text until it has taken a prompt, even if the input line is emptied or the
// agent has given the prompt back. A placeholder in the next prompt would be replaced
// by the text. If the next prompt contains the text, the agent takes that part for
// pasted and puts it into tags (2.1.332).
func (c Claude) Leaves(p *agent.Prompt) (left string, ok bool) {
	if p.Pasted {
		return "", true
	}
	if !folds(p.Put) {
		return "", false
	}
	body := strings.TrimRightFunc(p.Put, trimmed)
	// A prompt that is given back has lost the spaces at its end, and is folded again.
	head, tail := unitsIndex(body, foldedHead), unitsIndex(body, units(body)-foldedTail)
	return body[head:max(head, tail)], true
}

// unitsIndex returns the byte index in s behind its first n UTF-16 units. If n cuts a
// character, the index is behind that character.
func unitsIndex(s string, n int) int {
	for i, c := range s {
		if n <= 0 {
			return i
		}
		n -= utf16.RuneLen(c)
	}
	return len(s)
}

// placeholder matches the agent's placeholders. ("Team setup guide" exists from 2.1.294
// on.)
var placeholder = regexp.MustCompile(`\[(?:Pasted text|Image|\.\.\.Truncated text|✦ Team setup guide) #(\d+)(?: \+\d+ lines)?\.*\]`)

// breakPlaceholders puts a backslash into the placeholders that end within the first n
// bytes of s and whose number matters.
func breakPlaceholders(s string, n int, matters func(id uint64) bool) string {
	var b strings.Builder
	done := 0
	for _, m := range placeholder.FindAllStringSubmatchIndex(s, -1) {
		id, err := strconv.ParseUint(s[m[2]:m[3]], 10, 64) // a number out of range becomes the highest
		if m[1] > n || err == nil && !matters(id) {
			continue
		}
		b.WriteString(s[done:m[0]+1] + `\`)
		done = m[0] + 1
	}
	return b.String() + s[done:]
}

// trimmed tells whether the agent removes a character at the end of its input.
func trimmed(c rune) bool { return unicode.IsSpace(c) || c == '\ufeff' }

// dropInvisible drops the characters that 2.1.330 removes from its input.
func dropInvisible(c rune) rune {
	if unicode.IsSpace(c) || text.IsVisible(c) {
		return c
	}
	return -1
}

// firstVisible returns the index of the first character that is neither white space nor
// invisible, which 2.1.330 treats as the first. A prompt has one: see checkPrompt.
func firstVisible(s string) int {
	return strings.IndexFunc(s, text.IsVisible)
}

// Took tells whether the transcript has the prompt. It ignores white space, invisible
// characters and how characters are composed: 2.1.330 removes invisible characters, and
// 2.1.104 and 2.1.158 compose. It ignores backslashes: 2.1.330 puts one into a tag that
// looks like its own.
//
// 2.1.330 puts tags around a pasted prompt.
func (c Claude) Took(p *agent.Prompt, recorded string) bool {
	if p.Pasted {
		// A key that the agent has read as text must not pass for part of the paste.
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

// pasteTags matches the tags in which 2.1.330 gives a paste to the model.
var pasteTags = regexp.MustCompile(`(?s)^\s*<pasted_content id="[^"]*">(.*)</pasted_content[^>]*>\s*$`)

// Names tells whether the transcript has the command. It records a command between
// tags, with the command's name.
func (c Claude) Names(p *agent.Prompt, recorded string) bool {
	return strings.Contains(recorded, strings.Fields(p.Put)[0])
}

// picture matches the name of a file that claude attaches when the name is pasted,
// however quoted and escaped.
var picture = regexp.MustCompile(`(?i)\.(png|jpe?g|gif|webp|bmp|tiff?|heic)\b`)

// Pasted refuses a prompt with the name of a picture: no change to the text keeps every
// version from sending the file. One space at the end is enough here, because the agent
// does not look for spaces at the end of a text that it folds.
func (c Claude) Pasted(p *agent.Prompt) (string, error) {
	if name := picture.FindString(p.Put); name != "" && !p.Mentions {
		return "", fmt.Errorf("%w: it has to be pasted, and a name that ends in %s would send the file along: spell the name differently, or set Request.AllowMentions", agent.ErrInvalidPrompt, name)
	}
	return strings.TrimRight(p.Put, " ") + " ", nil
}
