package fakeagent

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
)

// An action is the effect of a key outside the input line.
type action int

const (
	actNone action = iota
	actSubmit
	actEditor
	actHelp
	actEscape
	actInterrupt // Ctrl+C
	actEOF       // Ctrl+D on an empty line
)

// A line is the input line.
type line struct {
	text []rune
	pos  int // index in text

	// bash is set by a "!" typed or pasted at the start of an empty line: the
	// text is then a shell command. Text from the editor never sets it
	// (2.1.104, 2.1.158, 2.1.330).
	bash bool

	// modern makes value put long pastes between tags and drop invisible
	// characters.
	modern bool

	// pastes are the texts behind the placeholders of long pastes and of what was
	// folded, by their numbers. They stay until a prompt is submitted, also when the
	// line is emptied otherwise.
	pastes map[int]string
	last   int // the last number
}

// press applies a key to the line.
func (l *line) press(k key) action {
	switch k.name {
	case "Text":
		if k.text == "?" && l.empty() {
			return actHelp // typed only: a pasted "?" is text
		}
		l.insert(k.text)
	case "Paste":
		l.paste(k.text)
	case "Tab":
		// Completes in the real agent; there is nothing to complete here.
	case "Enter":
		if l.pos > 0 && l.text[l.pos-1] == '\\' {
			l.delete()
			l.insert("\n")
			return actNone
		}
		if l.suggesting() {
			l.insert(" ")
			return actNone
		}
		return actSubmit
	case "M-Enter", "C-j":
		l.insert("\n")
	case "BSpace":
		if l.pos == 0 {
			l.bash = false
		}
		l.delete()
	case "C-u":
		l.text, l.pos = append([]rune(nil), l.text[l.pos:]...), 0
	case "Left", "C-b":
		l.pos = max(0, l.pos-1)
	case "Right", "C-f":
		l.pos = min(len(l.text), l.pos+1)
	case "Home", "C-a":
		l.pos = 0
	case "End", "C-e":
		l.pos = len(l.text)
	case "Escape":
		return actEscape
	case "C-c":
		return actInterrupt
	case "C-d":
		if l.empty() {
			return actEOF
		}
	case "C-g":
		return actEditor
	}
	return actNone
}

func (l *line) empty() bool { return len(l.text) == 0 && !l.bash }

func (l *line) insert(s string) {
	if l.empty() && strings.HasPrefix(s, "!") {
		l.bash, s = true, s[1:]
	}
	l.insertText([]rune(s))
}

// insertText inserts text that has no further meaning.
func (l *line) insertText(r []rune) {
	l.text = append(l.text[:l.pos:l.pos], append(r, l.text[l.pos:]...)...)
	l.pos += len(r)
}

func (l *line) delete() {
	if l.pos > 0 {
		l.text = append(l.text[:l.pos-1], l.text[l.pos:]...)
		l.pos--
	}
}

// pastedLines converts line ends and tabs in a paste as the real agent does: to newlines
// and to four spaces.
var pastedLines = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\t", "    ")

// pastedControls are what 2.1.330 drops from a paste: escape sequences and
// control bytes other than the newline.
var pastedControls = regexp.MustCompile(`\x1b\[[0-9;?]*[@-~]|[\x00-\x09\x0b-\x1f\x7f]`)

// cleanPaste converts pasted bytes to text as the real agent does.
func cleanPaste(s string) string {
	return pastedControls.ReplaceAllString(pastedLines.Replace(s), "")
}

// paste inserts pasted text, behind a placeholder if it has more than 800
// bytes or three lines.
func (l *line) paste(s string) {
	s = cleanPaste(s)
	n := strings.Count(s, "\n")
	if n <= 2 && len(s) <= 800 {
		l.insert(s)
		return
	}
	if l.empty() && strings.HasPrefix(s, "!") {
		l.bash, s = true, s[1:]
	}
	l.insert(pasteMark(l.keep(s), n))
}

// keep gives a text a number: the next one that no other text has, and in a modern
// line no placeholder in the text either, of those below 1<<31.
func (l *line) keep(s string) int {
	if l.pastes == nil {
		l.pastes = make(map[int]string)
		if !l.modern {
			l.last = 0
		}
	}
	if l.modern {
		for _, m := range placeholder.FindAllStringSubmatch(string(l.text)+s, -1) {
			if id, _ := strconv.Atoi(m[2]); id < 1<<31 {
				l.last = max(l.last, id)
			}
		}
	}
	l.last++
	l.pastes[l.last] = s
	return l.last
}

func pasteMark(id, lines int) string {
	if lines == 0 {
		return fmt.Sprintf("[Pasted text #%d]", id)
	}
	return fmt.Sprintf("[Pasted text #%d +%d lines]", id, lines)
}

// placeholder matches a text that the real agent treats as a placeholder, also if a
// person typed it.
var placeholder = regexp.MustCompile(`\[(Pasted text|Image|\.\.\.Truncated text) #(\d+)(?: \+\d+ lines)?\.*\]`)

// value returns the text to send, with the text of every placeholder in its place. It
// replaces in one pass, so that placeholders inside such a text stay.
func (l *line) value() string {
	var out strings.Builder
	text, done := string(l.text), 0
	for _, m := range placeholder.FindAllStringSubmatchIndex(text, -1) {
		id, _ := strconv.Atoi(text[m[4]:m[5]])
		hit, ok := l.pastes[id]
		if !ok {
			continue
		}
		out.WriteString(text[done:m[0]])
		done = m[1]
		if l.modern && !l.bash && !strings.HasPrefix(text[m[0]:], "[...") {
			hit = tagged(hit, out.Len() == 0, done == len(text))
		}
		out.WriteString(hit)
	}
	out.WriteString(text[done:])
	if l.modern {
		return strings.Map(dropInvisible, out.String())
	}
	return out.String()
}

// tagged returns a long paste as 2.1.330 sends it: the closing tag repeats the id, and
// blank lines separate the paste from the text before and after it.
func tagged(text string, first, last bool) string {
	s := "<pasted_content id=\"fa4e\">\n" + text + "\n</pasted_content id=\"fa4e\">"
	if !first {
		s = "\n\n" + s
	}
	if !last {
		s += "\n\n"
	}
	return s
}

// dropInvisible drops the characters that 2.1.330 takes out of the input. The
// joiners of emoji stay.
func dropInvisible(r rune) rune {
	switch {
	case r == '\n', r == '\t', r == '\u200d', r == '\ufe0f':
		return r
	case r == '\u2028', r == '\u2029', unicode.In(r, unicode.Cc, unicode.Cf,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector):
		return -1
	}
	return r
}

// mentionAtEnd matches a text for which the real agent shows a list of files. The next
// Enter would take the first file.
var mentionAtEnd = regexp.MustCompile(`(^|\s)@\S+$`)

// suggesting reports whether Enter takes a suggestion instead of submitting.
func (l *line) suggesting() bool {
	return !l.bash && l.pos == len(l.text) && mentionAtEnd.MatchString(visible(l))
}

// set replaces the line by the text an editor left. One newline at its end is
// the editor's, not the text's. A text that was pasted or folded stands behind its
// placeholder again.
func (l *line) set(s string) {
	s = strings.TrimSuffix(s, "\n")
	for _, id := range slices.Sorted(maps.Keys(l.pastes)) {
		s = strings.Replace(s, l.pastes[id], pasteMark(id, strings.Count(l.pastes[id], "\n")), 1)
	}
	l.text, l.pos, l.bash = nil, 0, false
	l.insertText([]rune(s))
	l.fold()
}

// A text of more than foldLength UTF-16 units is folded: all but its first and
// last foldedEnd units get a placeholder.
const (
	foldLength = 10_000
	foldedEnd  = 500
)

func (l *line) fold() {
	u := utf16.Encode(l.text)
	if len(u) <= foldLength {
		return
	}
	// A cut in the middle of a character is not played: it goes to the middle.
	head, tail := foldedEnd, len(u)-foldedEnd
	if utf16.IsSurrogate(rune(u[head-1])) && utf16.IsSurrogate(rune(u[head])) && u[head] >= 0xdc00 {
		head--
	}
	if utf16.IsSurrogate(rune(u[tail])) && u[tail] >= 0xdc00 {
		tail++
	}
	middle := string(utf16.Decode(u[head:tail]))
	mark := fmt.Sprintf("[...Truncated text #%d +%d lines...]", l.keep(middle), strings.Count(middle, "\n"))
	l.text = slices.Concat(utf16.Decode(u[:head]), []rune(mark), utf16.Decode(u[tail:]))
	l.pos = len(l.text)
}

// clear empties the line after it was submitted.
func (l *line) clear() { *l = line{modern: l.modern, last: l.last} }
