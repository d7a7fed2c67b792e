package claude

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tuiturn/tuiturn/internal/agent"
)

// See finds the input line by its place and shape, a prompt glyph under a horizontal
// rule, and a menu by its cursor. It does not rely on words, which changed five times in a
// year below the input line, nor on one glyph, which has changed once.
func (c Claude) See(screen string) agent.Sees {
	rows := strings.Split(strings.TrimRight(screen, "\n"), "\n")
	if text, ok := inputLine(rows); ok {
		return agent.Sees{Input: true, Text: text, Working: isWorking(rows)}
	}
	m := findMenu(rows)
	// With the blank rows below: a dialog that moves is another one.
	sees := agent.Sees{Foot: foot(strings.Split(screen, "\n"), m)}
	if m != nil {
		sees.Menu = m.menu
	}
	return sees
}

// foot returns the part of the screen in which a dialog stands: the menu and the rows
// below, or without a menu the rows below the last rule. A sign above may blink while
// the agent waits, as on 2.1.330.
func foot(rows []string, m *found) string {
	top := len(rows) - 1
	if m != nil {
		top = m.top
	} else {
		for ; top > 0 && !isRule(rows[top]); top-- {
		}
	}
	return strings.Join(rows[top:], "\n")
}

// workingRow matches the row above the input line in which the agent says that it
// works, "✶ Whirring… (7s · ↓ 16 tokens)". The row begins in the first column. A row of
// a prompt, an answer or a tool is indented or begins with another sign.
var workingRow = regexp.MustCompile(`^[` + workingSigns + `] \S.*…`)

// isWorking tells whether the agent says that it works, above or below its input line.
// The words below are only a second sign.
func isWorking(rows []string) bool {
	for i, row := range slices.Backward(rows) {
		if isRule(row) {
			return slices.ContainsFunc(rows[:i], workingRow.MatchString)
		}
		if strings.Contains(row, "esc to interrupt") {
			return true
		}
	}
	return false
}

// maxFooter limits the rows with text below the input line. An input line further up is
// a picture of one in the conversation.
const maxFooter = 8

// inputLine returns the text between the last two rules, if its first row begins with a
// prompt glyph.
func inputLine(rows []string) (text string, ok bool) {
	lower, footer := -1, 0
	for i := len(rows) - 1; i >= 0; i-- {
		switch {
		case isRule(rows[i]) && lower < 0:
			lower = i
		case isRule(rows[i]):
			first, found := behindGlyph(rows[i+1])
			if !found && strings.Contains(rows[i], "↑") {
				return clippedInput(rows[i+1 : lower]) // "↑ 33 more", 2.1.330
			}
			if !found || i+1 == lower {
				return "", false
			}
			if slices.ContainsFunc(rows[i+2:lower], isSaid) {
				return "", false // the upper rule is of a picture, and the lower one of a dialog
			}
			lines := append([]string{first}, rows[i+2:lower]...)
			for j := range lines {
				lines[j] = strings.Trim(lines[j], " \u00a0│")
			}
			return strings.TrimSpace(strings.Join(lines, "\n")), true
		case lower < 0 && strings.TrimSpace(rows[i]) != "":
			if footer++; footer > maxFooter {
				return "", false
			}
		}
	}
	if lower < len(rows)/2 {
		return "", false // the rule is above a dialog, and not below what fills the screen
	}
	return clippedInput(rows[:lower])
}

// behindGlyph returns the text of a row behind a prompt glyph: "❯" since 2.1, ">" before,
// and whatever sign alone comes next.
func behindGlyph(row string) (text string, ok bool) {
	if text, ok := strings.CutPrefix(strings.TrimLeft(row, " │"), "❯"); ok {
		return text, true
	}
	row = strings.TrimPrefix(row, "│ ")
	glyph, size := utf8.DecodeRuneInString(row)
	text = row[size:]
	if !unicode.IsSymbol(glyph) && !unicode.IsPunct(glyph) || unicode.Is(drawing, glyph) || strings.ContainsRune(otherSigns, glyph) {
		return "", false
	}
	// The tabs of a question stand two columns apart, "←  ☐ Color  ☐ Size" (2.1.104).
	return text, text == "" || (text[0] == ' ' || strings.HasPrefix(text, "\u00a0")) && !strings.HasPrefix(text, "  ")
}

// otherSigns begin rows that are no input line, or one that does not take a prompt: it
// runs a command of the shell's, for example.
const otherSigns = "!#&-/?⌕●⏺⎿←→☐☑☒✓✔✗✘◯◉○◦⚠" + workingSigns

// workingSigns are what a working agent draws before its clock, one after the other.
const workingSigns = "·•∗*✢✣✤✥✱✲✳✴✵✶✷✸✹✺✻✼✽✾"

// drawing are the signs that make frames and pictures.
var drawing = &unicode.RangeTable{R16: []unicode.Range16{{Lo: 0x2500, Hi: 0x259f, Stride: 1}}}

// clippedInput reads an input line with more rows than the screen. Its glyph is out of
// sight, and before 2.1.330 its upper rule too. All visible rows are indented, but for
// what a terminal has wrapped because to it a character is wider than to the agent.
// Nothing else that fills the screen down to a rule is indented throughout.
func clippedInput(rows []string) (text string, ok bool) {
	for i, row := range rows {
		if i == 0 {
			if text, ok := behindGlyph(row); ok {
				row = "  " + strings.TrimLeft(text, " ")
			}
		}
		if strings.TrimSpace(row) != "" && !strings.HasPrefix(row, "  ") && (i == 0 || !disputed(rows[i-1])) {
			return "", false
		}
	}
	text = strings.TrimSpace(strings.Join(rows, "\n"))
	return text, text != ""
}

// isSaid tells whether a row begins what the agent says, uses or does: it is of the
// conversation, and not of an input line.
func isSaid(row string) bool {
	return strings.HasPrefix(row, "●") || strings.HasPrefix(row, "⏺") || workingRow.MatchString(row)
}

// disputed tells whether terminals disagree about a row's width: whether it has emoji, of
// which some are several characters in one, or vowel signs of Indian scripts.
func disputed(row string) bool {
	return strings.ContainsFunc(row, func(c rune) bool {
		return c >= 0x1f000 || c == '\u200d' || c == '\ufe0f' || unicode.Is(unicode.Mc, c)
	})
}

// isRule tells whether a row is a horizontal line, perhaps with a title in it. A rule
// begins in the first column; the rows of a prompt or an answer are indented.
func isRule(row string) bool {
	if first, _ := utf8.DecodeRuneInString(row); !strings.ContainsRune("─━╭╰", first) {
		return false
	}
	dashes, others := 0, 0
	for _, c := range row {
		switch c {
		case '─', '━':
			dashes++
		case ' ', '╭', '╮', '╰', '╯':
		default:
			others++
		}
	}
	return dashes >= 20 && dashes > others
}

var (
	cursorRow   = regexp.MustCompile(`^([\s│]*)❯[ \x{a0}]+(\S.*)$`)
	numberedRow = regexp.MustCompile(`^([\s│]*(?:❯[ \x{a0}]+)?)(\d+)\.\s+(\S.*)$`)
)

// A found is a menu and its place on the screen.
type found struct {
	menu *agent.Menu
	at   []int // the row of each option
	top  int   // the dialog's first row: a rule, or the screen's first
}

// findMenu finds the menu at the last cursor on the screen. It returns nil if there is
// no cursor, or if the menu has fewer than two options. A cursor above the last two
// rules belongs to a prompt in the conversation: the rules are a frame around something
// else.
func findMenu(rows []string) *found {
	at := -1
	for i, rules := len(rows)-1, 0; i >= 0 && rules < 2 && at < 0; i-- {
		switch {
		case cursorRow.MatchString(rows[i]):
			at = i
		case isRule(rows[i]):
			rules++
		}
	}
	if at < 0 {
		return nil
	}
	m := &found{menu: &agent.Menu{}}
	if numberedRow.MatchString(rows[at]) {
		m.numbered(rows, at)
	} else {
		m.lined(rows, at)
	}
	if len(m.at) < 2 {
		return nil
	}
	// The dialog begins under the rule above it, if there is one.
	m.top = m.at[0]
	for m.top > 0 && !isRule(rows[m.top]) {
		m.top--
	}
	m.menu.Kind = menuKind(strings.Join(rows[m.top:], "\n"))
	m.menu.Text = strings.Join(rows[m.top:m.at[0]], "\n")
	m.menu.Plain = m.plain(rows)
	return m
}

func (m *found) add(row int, option string, highlighted bool) {
	if highlighted {
		m.menu.Highlighted = len(m.at)
	}
	m.at = append(m.at, row)
	m.menu.Options = append(m.menu.Options, strings.TrimRight(option, " │"))
}

// numbered takes the options whose numbers continue from the cursor's, up to 1 and
// down. Explanations may stand between them. A list further up is part of the dialog's
// text, perhaps of a command.
func (m *found) numbered(rows []string, at int) {
	read := func(row string) (column, n int, text string) {
		f := numberedRow.FindStringSubmatch(row)
		if f == nil {
			return -1, -1, ""
		}
		n, _ = strconv.Atoi(f[2])
		return utf8.RuneCountInString(f[1]), n, f[3]
	}
	column, n, _ := read(rows[at])
	first := at
	for i := at - 1; i >= 0 && n > 1 && !isRule(rows[i]); i-- {
		if c, k, _ := read(rows[i]); c == column && k == n-1 {
			first, n = i, k
		}
	}
	for i := first; i < len(rows); i++ {
		if c, k, text := read(rows[i]); c == column && k == n {
			m.add(i, text, i == at)
			n++
		}
	}
}

// lined takes the rows around the cursor whose text begins in the same column as the
// cursor's.
func (m *found) lined(rows []string, at int) {
	column := utf8.RuneCountInString(cursorRow.FindStringSubmatch(rows[at])[1]) + 2
	option := func(row string) (string, bool) {
		runes := []rune(row)
		if len(runes) <= column || strings.Trim(string(runes[:column]), " │❯\u00a0") != "" || runes[column] == ' ' {
			return "", false
		}
		return strings.TrimLeft(string(runes[column:]), " │"), true
	}
	first := at
	for first > 0 && !isRule(rows[first-1]) && isOption(option, rows[first-1]) {
		first--
	}
	for i := first; i < len(rows); i++ {
		text, ok := option(rows[i])
		if !ok {
			break
		}
		m.add(i, text, i == at)
	}
}

func isOption(option func(string) (string, bool), row string) bool {
	_, ok := option(row)
	return ok
}

// menuKind names the kind of a menu by its words. The kind is only a label: the shape
// has decided that there is a menu. A permission dialog comes first, because the
// command that it quotes may contain any words.
func menuKind(screen string) string {
	screen = strings.ToLower(screen)
	for _, k := range []struct{ kind, words string }{
		{agent.Permission, "do you want to"},
		{agent.Settings, "settings error|continue without these settings"},
		{agent.Login, "select login method|sign in|log in with|paste code here"},
		{agent.Trust, "trust"},
		{agent.Onboarding, "text style|theme|let's get started"},
		{agent.Permission, "permission|requires approval|proceed"},
	} {
		for words := range strings.SplitSeq(k.words, "|") {
			if strings.Contains(screen, words) {
				return k.kind
			}
		}
	}
	return agent.Other
}

// fault returns the file and the errors in it from a settings dialog: the rows below
// the title that begin with a path or with the lines of a tree.
func fault(screen string) string {
	_, below, found := strings.Cut(screen, "Settings Error\n")
	if !found {
		return ""
	}
	var fault []string
	for row := range strings.Lines(below) {
		row = strings.TrimSpace(row)
		first, _ := utf8.DecodeRuneInString(row)
		switch {
		case strings.ContainsRune("/├└│", first):
			fault = append(fault, strings.TrimLeft(row, "├└│ "))
		case row != "" && len(fault) > 1:
			return strings.Join(fault, ": ")
		}
	}
	return strings.Join(fault, ": ")
}

// repeatRow matches a status line or a note: 2.1.158 "⎿  Retrying in 8s · attempt 1/4",
// 2.1.330 "✻ API error · retrying in 22s · attempt 1/4".
var repeatRow = regexp.MustCompile(`(?im)^[^\pL\pN\n]*((?:.*· )?retrying in \d+s · attempt (\d+)/\d+)`)

// optionRow matches the last words of a version that does not know an argument (1.0.60 to
// 2.0.30).
var optionRow = regexp.MustCompile(`(?m)^error: unknown option '(--[a-z-]+)'`)

// Explain reads a settings dialog, the note of an agent that waits to retry a request,
// and why an agent has ended at once.
func (c Claude) Explain(screen string) agent.Notes {
	notes := agent.Notes{Fault: fault(screen)}
	if row := optionRow.FindStringSubmatch(screen); row != nil {
		notes.Option = row[1]
	}
	if rows := repeatRow.FindAllStringSubmatch(screen, -1); rows != nil {
		last := rows[len(rows)-1]
		notes.Retry = last[1]
		notes.Attempt, _ = strconv.Atoi(last[2])
	}
	return notes
}
