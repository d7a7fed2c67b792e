package claude

import (
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/agent"
)

// The screens are those of claude 2.1.104, 2.1.158 and 2.1.330 at 120 columns,
// without blank rows. A "─" alone stands for a whole rule.
var claudeScreens = map[string]struct {
	screen string
	want   agent.Sees
}{
	"blank":    {"\n\n", agent.Sees{}},
	"starting": {"Loading…\n", agent.Sees{}},

	"2.1.104 ready": {`
▝▜█████▛▘  Sonnet 4.6 · Claude API
  ▘▘ ▝▝    /tmp/w
─
❯
─
  ? for shortcuts                                                 ● high · /effort`, agent.Sees{Input: true}},

	"2.1.330 ready": {`
▎ Auto mode is now Claude Code's default permission mode.
                                                                   ◐ medium · /effort
─
❯` + "\u00a0" + `
─
  ⏵⏵ auto mode on (shift+tab to cycle) · ← for agents`, agent.Sees{Input: true}},

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
                                              ctrl+g to edit in Editor`, agent.Sees{Input: true, Text: "line one\nline two tabbed\nline three ünï 👩‍👩‍👧"}},

	"2.1.158 with a text higher than the screen, of which tmux has wrapped a row": {`
  xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx "quoted" 👩🏽👩🏽
👩🏽


  "quoted" word
─
                                              ctrl+g to edit in Sh`, agent.Sees{Input: true, Text: `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx "quoted" 👩🏽👩🏽
👩🏽


  "quoted" word`}},

	"an answer higher than the screen, and the editor": {`
  a line of an answer
● another answer
  its second line
─
                                          Save and close editor to continue...`, agent.Sees{}},

	"the editor": {`
─
                                          Save and close editor to continue...
─`, agent.Sees{}},

	"the editor under a prompt of several lines": {`
❯ number 2
  with a second line
● heard
─
                                          Save and close editor to continue...
─`, agent.Sees{}},

	"framed": {`
╭──────────────────────────────────────────────────────────╮
│ ❯ hello                                                  │
╰──────────────────────────────────────────────────────────╯
  ? for shortcuts`, agent.Sees{Input: true, Text: "hello"}},

	"a rule with a title": {`
────────────────────────────────────────────── my session ──
❯ hello
─
  ? for shortcuts`, agent.Sees{Input: true, Text: "hello"}},

	"at work": {`
❯ hello
✻ Working… (3s · esc to interrupt)
─
❯
─
  esc to interrupt`, agent.Sees{Input: true, Working: true}},

	"at work, in other words": {`
❯ hello
* Zesting the wording… (7s · ↓ 16 tokens)
─
❯
─
  ⏸ manual mode on`, agent.Sees{Input: true, Working: true}},

	"an answer that says so": {`
❯ * Zesting…
● * Zesting… esc to interrupt
  * Zesting… esc to interrupt
✻ Brewed for 3m 20s
─
❯
─
  ? for shortcuts`, agent.Sees{Input: true}},

	"a prompt that draws an input line": {`
─
❯ ────────────────────────────────────────────────────────
  ❯ 1. Yes
    2. No
  ────────────────────────────────────────────────────────
─
  ? for shortcuts`, agent.Sees{Input: true, Text: "────────────────────────────────────────────────────────\n❯ 1. Yes\n2. No\n────────────────────────────────────────────────────────"}},

	"2.1.104 trust": {`
─
 Accessing workspace:
 /tmp/w
 Quick safety check: Is this a project you created or one you trust?
 Security guide
 ❯ 1. Yes, I trust this folder
   2. No, exit
 Enter to confirm · Esc to cancel`, agent.Sees{Menu: &agent.Menu{Kind: "trust", Options: []string{"Yes, I trust this folder", "No, exit"}, Highlighted: 0}}},

	"2.1.330 trust": {`
─
 Accessing workspace:
 /tmp/w
 Quick safety check: Is this a project you created or one you trust?
 Security guide

 ❯ No, exit
   Yes, I trust this folder

 Enter to confirm · Esc to cancel`, agent.Sees{Menu: &agent.Menu{Kind: "trust", Options: []string{"No, exit", "Yes, I trust this folder"}, Highlighted: 0}}},

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
 Esc to cancel · Tab to amend`, agent.Sees{Menu: &agent.Menu{Kind: "permission", Options: []string{
		"Yes", "Yes, and always allow access to /tmp/w from this project",
		"Yes, and switch to auto mode · auto mode handles these prompts for you", "No"}, Highlighted: 0}}},

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
 Esc to cancel · Tab to amend · ctrl+e to explain`, agent.Sees{Menu: &agent.Menu{Kind: "permission", Options: []string{
		"Yes", "Yes, and always allow access to w/ from this project", "No"}, Highlighted: 2}}},

	"login": {`
 Select login method:

 ❯ 1. Claude account with subscription · Pro, Max, Team, or Enterprise

   2. Anthropic Console account · API usage billing`, agent.Sees{Menu: &agent.Menu{Kind: "login", Options: []string{
		"Claude account with subscription · Pro, Max, Team, or Enterprise", "Anthropic Console account · API usage billing"}, Highlighted: 0}}},

	"onboarding": {`
 Let's get started.
 Choose the text style that looks best with your terminal
   1. Auto (match terminal)
 ❯ 2. Dark mode ✔
   3. Light mode`, agent.Sees{Menu: &agent.Menu{Kind: "onboarding", Options: []string{"Auto (match terminal)", "Dark mode ✔", "Light mode"}, Highlighted: 1}}},

	"an offer": {`
 Try the new thing?
 ❯ Maybe later
   Now`, agent.Sees{Menu: &agent.Menu{Kind: "menu", Options: []string{"Maybe later", "Now"}, Highlighted: 0}}},

	"2.1.104 a server's form, and a leftover of the editor's above the prompt": {`
  ▘▘ ▝▝    /tmp/w
─
                                          Save and close editor to continue...
─
❯ How is the weather?
● sky - weather (MCP)(city: "Paris")
  ⎿  Running…
* Crunching… (59s · ↓ 4 tokens)
─
  MCP server “sky” requests your input
  Which city?

  ❯ * City: Type something…

    Accept    Decline
  Esc to cancel · ↑↓ to navigate · Backspace to unset`, agent.Sees{}},

	"2.1.332 two questions of a model's": {`
 ▝▝   ▝▝   /tmp/w
❯ Hello?
● Let me ask.
─
←  ☐ Color  ☐ Size  ✔ Submit  →

Which colour?

❯ 1. Red
     a description
  2. Blue
     a description
  3. Type something.
─
  4. Chat about this

Enter to select · Tab/Arrow keys to navigate · Esc to cancel`, agent.Sees{Menu: &agent.Menu{Kind: "menu", Options: []string{"Red", "Blue", "Type something.", "Chat about this"}, Highlighted: 0}}},

	"a conversation is no menu": {`
❯ hello
● Hello!`, agent.Sees{}},
}

// Why an agent has ended is told by its last words, and not by what quotes them.
func TestUnknownOption(t *testing.T) {
	is := is.New(t)
	is.Equal(Claude{}.Explain("error: unknown option '--tools'\n(Did you mean --model?)\n\n").Option, "--tools")
	is.Equal(Claude{}.Explain("● error: unknown option '--tools'\n  error: unknown option '--tools'\n").Option, "")
}

func TestClaudeScreens(t *testing.T) {
	for name, c := range claudeScreens {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			got := Claude{}.See(widen(c.screen))
			got.Foot = ""
			if got.Menu != nil { // see TestDialogs
				got.Menu.Text, got.Menu.Plain = "", false
			}
			is.Equal(got, c.want)
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
				v := Claude{}.See(strings.ReplaceAll(strings.Join(rows[from:to], ""), "─\n", strings.Repeat("─", 120)+"\n"))
				if m := v.Menu; m != nil && (v.Input || len(m.Options) < 2 || m.Highlighted < 0 || m.Highlighted >= len(m.Options)) {
					t.Errorf("%s, rows %d to %d: %+v", name, from, to, m)
				}
			}
		}
	}
}
