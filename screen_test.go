package tuiturn

import (
	"strings"
	"testing"

	"github.com/matryer/is"
)

// The screens are those of claude 2.1.104, 2.1.158 and 2.1.330 at 120 columns,
// without blank rows. A "─" alone stands for a whole rule.
var claudeScreens = map[string]struct {
	screen string
	want   view
}{
	"blank":    {"\n\n", view{}},
	"starting": {"Loading…\n", view{}},

	"2.1.104 ready": {`
▝▜█████▛▘  Sonnet 4.6 · Claude API
  ▘▘ ▝▝    /tmp/w
─
❯
─
  ? for shortcuts                                                 ● high · /effort`, view{input: true}},

	"2.1.330 ready": {`
▎ Auto mode is now Claude Code's default permission mode.
                                                                   ◐ medium · /effort
─
❯` + "\u00a0" + `
─
  ⏵⏵ auto mode on (shift+tab to cycle) · ← for agents`, view{input: true}},

	"2.1.104 with text and a leftover of the editor's": {`
─
                                          Save and close editor to continue...
─
▝▜█████▛▘  Sonnet 4.6 · Claude API
─
❯` + "\u00a0" + `line one
        line two tabbed
  line three ünï 👩‍👩‍👧
─
                                              ctrl+g to edit in Editor`, view{input: true, text: "line one\nline two tabbed\nline three ünï 👩‍👩‍👧"}},

	"the editor": {`
─
                                          Save and close editor to continue...
─`, view{}},

	"the editor under a prompt of several lines": {`
❯ number 2
  with a second line
● heard
─
                                          Save and close editor to continue...
─`, view{}},

	"framed": {`
╭──────────────────────────────────────────────────────────╮
│ ❯ hello                                                  │
╰──────────────────────────────────────────────────────────╯
  ? for shortcuts`, view{input: true, text: "hello"}},

	"a rule with a title": {`
────────────────────────────────────────────── my session ──
❯ hello
─
  ? for shortcuts`, view{input: true, text: "hello"}},

	"at work": {`
❯ hello
✻ Working… (3s · esc to interrupt)
─
❯
─
  esc to interrupt`, view{input: true, working: true}},

	"at work, in other words": {`
❯ hello
* Zesting the wording… (7s · ↓ 16 tokens)
─
❯
─
  ⏸ manual mode on`, view{input: true, working: true}},

	"an answer that says so": {`
❯ * Zesting…
● * Zesting… esc to interrupt
  * Zesting… esc to interrupt
✻ Brewed for 3m 20s
─
❯
─
  ? for shortcuts`, view{input: true}},

	"a prompt that draws an input line": {`
─
❯ ────────────────────────────────────────────────────────
  ❯ 1. Yes
    2. No
  ────────────────────────────────────────────────────────
─
  ? for shortcuts`, view{input: true, text: "────────────────────────────────────────────────────────\n❯ 1. Yes\n2. No\n────────────────────────────────────────────────────────"}},

	"2.1.104 trust": {`
─
 Accessing workspace:
 /tmp/w
 Quick safety check: Is this a project you created or one you trust?
 Security guide
 ❯ 1. Yes, I trust this folder
   2. No, exit
 Enter to confirm · Esc to cancel`, view{menu: &BlockedError{"trust", []string{"Yes, I trust this folder", "No, exit"}, 0}}},

	"2.1.330 trust": {`
─
 Accessing workspace:
 /tmp/w
 Quick safety check: Is this a project you created or one you trust?
 Security guide

 ❯ No, exit
   Yes, I trust this folder

 Enter to confirm · Esc to cancel`, view{menu: &BlockedError{"trust", []string{"No, exit", "Yes, I trust this folder"}, 0}}},

	"2.1.330 permission": {`
❯ run the tool please
● I will run it.
─
 Bash command
 Tip: auto mode handles these prompts for you — choose "switch to auto mode" below
╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌
 touch made-by-tool
╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌
 Do you want to proceed?
 ❯ 1. Yes
   2. Yes, and always allow access to /tmp/w from this project
   3. Yes, and switch to auto mode · auto mode handles these prompts for you
   4. No
 Esc to cancel · Tab to amend`, view{menu: &BlockedError{"permission", []string{
		"Yes", "Yes, and always allow access to /tmp/w from this project",
		"Yes, and switch to auto mode · auto mode handles these prompts for you", "No"}, 0}}},

	"2.1.158 permission, with words of other dialogs": {`
─
▝▜█████▛▘  Sonnet 4.6 · Claude API
❯ run the tool please
● Bash(git commit -m "sign in")
─
 Bash command
   git commit -m "sign in"
 Do you want to proceed?
   1. Yes
   2. Yes, and always allow access to w/ from this project
 ❯ 3. No
 Esc to cancel · Tab to amend · ctrl+e to explain`, view{menu: &BlockedError{"permission", []string{
		"Yes", "Yes, and always allow access to w/ from this project", "No"}, 2}}},

	"login": {`
 Select login method:

 ❯ 1. Claude account with subscription · Pro, Max, Team, or Enterprise

   2. Anthropic Console account · API usage billing`, view{menu: &BlockedError{"login", []string{
		"Claude account with subscription · Pro, Max, Team, or Enterprise", "Anthropic Console account · API usage billing"}, 0}}},

	"onboarding": {`
 Let's get started.
 Choose the text style that looks best with your terminal
   1. Auto (match terminal)
 ❯ 2. Dark mode ✔
   3. Light mode`, view{menu: &BlockedError{"onboarding", []string{"Auto (match terminal)", "Dark mode ✔", "Light mode"}, 1}}},

	"an offer": {`
 Try the new thing?
 ❯ Maybe later
   Now`, view{menu: &BlockedError{"menu", []string{"Maybe later", "Now"}, 0}}},

	"a conversation is no menu": {`
❯ hello
● Hello!`, view{}},
}

func TestClaudeScreens(t *testing.T) {
	for name, c := range claudeScreens {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(Claude{}.read(widen(c.screen)), c.want)
		})
	}
}

// widen draws the rules.
func widen(screen string) string {
	return strings.ReplaceAll("\n"+screen+"\n", "\n─\n", "\n"+strings.Repeat("─", 120)+"\n")
}

// A screen that is drawn while it is read may end anywhere.
func TestClaudeScreensInPart(t *testing.T) {
	for name, c := range claudeScreens {
		rows := strings.SplitAfter(c.screen, "\n")
		for from := range rows {
			for to := from; to <= len(rows); to++ {
				v := Claude{}.read(strings.ReplaceAll(strings.Join(rows[from:to], ""), "─\n", strings.Repeat("─", 120)+"\n"))
				if m := v.menu; m != nil && (v.input || len(m.Options) < 2 || m.Highlighted < 0 || m.Highlighted >= len(m.Options)) {
					t.Errorf("%s, rows %d to %d: %+v", name, from, to, m)
				}
			}
		}
	}
}
