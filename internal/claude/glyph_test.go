package claude

import (
	"fmt"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/agent"
)

// An input line is found by its place and shape, whatever sign stands in front and
// whatever frame is around it, also those that no version has drawn.
func TestInputLineOfAnyVersion(t *testing.T) {
	frames := map[string]func(width int, rows []string) []string{
		"rules": func(width int, rows []string) []string {
			rule := strings.Repeat("─", width)
			return append(append([]string{rule}, rows...), rule)
		},
		"thick rules": func(width int, rows []string) []string {
			rule := strings.Repeat("━", width)
			return append(append([]string{rule}, rows...), rule)
		},
		"a rule with a title": func(width int, rows []string) []string {
			rule := strings.Repeat("─", width)
			return append(append([]string{strings.Repeat("─", width-11) + " a title ──"}, rows...), rule)
		},
		"a box": func(width int, rows []string) []string {
			line := strings.Repeat("─", width-2)
			box := []string{"╭" + line + "╮"}
			for _, row := range rows {
				box = append(box, "│ "+row+strings.Repeat(" ", width-4-len([]rune(row)))+" │")
			}
			return append(box, "╰"+line+"╯")
		},
	}
	footers := map[string][]string{
		"nothing":   nil,
		"words":     {"  ? for shortcuts"},
		"two lines": {"  [Opus] a status line of the operator's > with signs", "  ⏵⏵ auto mode on (shift+tab to cycle)"},
	}
	for _, glyph := range []string{"❯", ">", "›", "»", "▶", "$", "%", "❱", "➜", "⟩", "◆", "≫", "⮞", "|"} {
		for frame, draw := range frames {
			for footer, below := range footers {
				for _, width := range []int{40, 80, 120, 300} {
					for _, text := range []string{"", "hello", "1. Yes\n2. No", "> quoted\n\n- item"} {
						t.Run(fmt.Sprint(glyph, frame, footer, width, text), func(t *testing.T) {
							is := is.New(t)
							rows := strings.Split(text, "\n")
							for i := range rows {
								rows[i] = "  " + rows[i]
							}
							rows[0] = glyph + "\u00a0" + rows[0][2:]
							above := []string{"> an earlier prompt", "", "● An answer.", ""}
							screen := strings.Join(append(append(above, draw(width, rows)...), below...), "\n") + "\n\n\n"
							is.Equal(Claude{}.See(screen), agent.Sees{Input: true, Text: text})
						})
					}
				}
			}
		}
	}
}

// Not everything between two rules takes a prompt.
func TestNoInputLine(t *testing.T) {
	for name, first := range map[string]string{
		"a shell's command": "! ls", "a search": "⌕ Search…", "a note": "# remember", "an answer": "● It is 42.", "an item": "- one", "a tool's output": "⎿  ok",
		"a working agent": "✻ Whirring… (7s)", "a picture": "▝▜█████▛▘  Sonnet", "words": "Save and close editor to continue...", "a word": "x y", "a quote": `"x y"`,
		"a question": " ☐ Login", "questions": "←  ☐ Color  ☐ Size  ✔ Submit  →", "a question at the left": "☐ Login", "two columns apart": "◇  Color",
	} {
		t.Run(name, func(t *testing.T) {
			rule := strings.Repeat("─", 80)
			sees := Claude{}.See(strings.Join([]string{rule, first, rule, "  ? for shortcuts"}, "\n"))
			is.New(t).True(!sees.Input)
		})
	}
}
