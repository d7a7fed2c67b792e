package claude

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tuiturn/tuiturn/internal/agent"
)

// See finds the input line by its shape, a prompt glyph under a horizontal rule, and
// a menu by its cursor. The words around both change: those of the footer did five
// times in a year.
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

// foot is the menu and what is below it, else what stands below the last rule: the
// dialog, where there is one. Above it a sign may blink, as 2.1.330 has it while it
// waits.
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

// workingRow is the row above the input line in which the agent says that it works,
// "✶ Whirring… (7s · ↓ 16 tokens)". It begins in the first column; what a prompt, an
// answer or a tool draws is indented or begins with another sign.
var workingRow = regexp.MustCompile(`^[·•∗*✢✣✤✥✱✲✳✴✵✶✷✸✹✺✻✼✽✾] \S.*…`)

// isWorking tells whether the agent says so, there or below its input line. The words
// there are only a second sign.
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

// maxFooter is how many rows with text may stand below the input line. Further
// up, what looks like one is part of the conversation.
const maxFooter = 8

// inputLine returns what stands between the last two rules, if that is the input
// line: its first row begins with the prompt glyph.
func inputLine(rows []string) (text string, ok bool) {
	lower, footer := -1, 0
	for i := len(rows) - 1; i >= 0; i-- {
		switch {
		case isRule(rows[i]) && lower < 0:
			lower = i
		case isRule(rows[i]):
			first, found := strings.CutPrefix(strings.TrimLeft(rows[i+1], " │"), "❯")
			if !found && strings.Contains(rows[i], "↑") {
				return clippedInput(rows[i+1 : lower]) // "↑ 33 more", 2.1.330
			}
			if !found || i+1 == lower {
				return "", false
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
	if lower < 0 {
		return "", false
	}
	return clippedInput(rows[:lower])
}

// clippedInput reads an input line with more rows than the screen: the glyph above
// is out of sight, and before 2.1.330 the rule too. All that is left of it is
// indented, which nothing else that fills the screen down to a rule is.
func clippedInput(rows []string) (text string, ok bool) {
	for i, row := range rows {
		if i == 0 {
			row = strings.Replace(row, "❯", " ", 1)
		}
		if strings.TrimSpace(row) != "" && !strings.HasPrefix(row, "  ") {
			return "", false
		}
	}
	text = strings.TrimSpace(strings.Join(rows, "\n"))
	return text, text != ""
}

// isRule tells whether a row is a horizontal line, perhaps with a title in it.
// It begins in the first column; what a prompt or an answer draws is indented.
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

// A found menu is one that stands in the rows of a screen.
type found struct {
	menu *agent.Menu
	at   []int // the row of each option
	top  int   // the dialog's first row: a rule, or the screen's first
}

// findMenu finds the menu that the last cursor on the screen stands in, nil if
// there is none with two options. Above the last two rules, which are a frame
// that something else stands in, it is a prompt of the conversation's.
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
	// The dialog begins under the rule above it, where there is one.
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

// numbered takes the options whose numbers go on from the cursor's, up to 1 and
// down; there may be explanations between them. Further up a list is part of
// what the dialog shows, a command perhaps.
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

// lined takes the rows around the cursor that line up with its text.
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

// menuKind puts a name to a menu by its words. It only labels: whether there is
// a menu has been decided by its shape. A permission dialog comes first: it
// quotes a command, whose words may be any.
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

// fault takes the file and what is wrong with it: the rows below the title that
// begin with a path or with the lines of a tree.
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

// repeatRow is the row of a status line or a note: 2.1.158 "⎿  Retrying in 8s ·
// attempt 1/4", 2.1.330 "✻ API error · retrying in 22s · attempt 1/4".
var repeatRow = regexp.MustCompile(`(?im)^[^\pL\pN\n]*((?:.*· )?retrying in \d+s · attempt (\d+)/\d+)`)

// Explain reads a settings dialog, and the note of an agent that waits to repeat a
// request.
func (c Claude) Explain(screen string) agent.Notes {
	notes := agent.Notes{Fault: fault(screen)}
	if rows := repeatRow.FindAllStringSubmatch(screen, -1); rows != nil {
		last := rows[len(rows)-1]
		notes.Retry = last[1]
		notes.Attempt, _ = strconv.Atoi(last[2])
	}
	return notes
}
