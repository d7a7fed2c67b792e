package claude

import (
	"encoding/json"
	"testing"

	"github.com/matryer/is"
)

func TestClaudeDialogs(t *testing.T) {
	for name, c := range map[string]struct {
		plain           bool
		shown, notShown string // of an input
	}{
		"2.1.330 permission":                              {true, `{"command":"touch made-by-tool"}`, `{"command":"touch made-by-hand"}`},
		"2.1.158 permission, with words of other dialogs": {true, `{"command":"git commit -m\n\"sign in\""}`, `{"path":"/tmp/sign out"}`},
		"2.1.104 write":                                   {true, `{"file_path":"/tmp/w/w0.txt"}`, `{"file_path":"/tmp/w/w1.txt"}`},
		"2.1.158 fetch":                                   {true, `{"url":"http://127.0.0.1:1/"}`, `{"url":["http://127.0.0.1:1/"]}`},
		"2.1.330 with a message":                          {true, `{"command":"touch made0"}`, `{"command":""}`},
		"a plan":                                          {false, `{"x":"write_plan"}`, `"write_plan"`},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			screen := claudeDialogScreens[name]
			if screen == "" {
				screen = claudeScreens[name].screen
			}
			m := Claude{}.See(widen(screen)).Menu
			is.True(m != nil)
			is.Equal(m.Plain, c.plain)
			is.Equal(Claude{}.Shows(m, json.RawMessage(c.shown)), 1)
			is.Equal(Claude{}.Shows(m, json.RawMessage(c.notShown)), 0)
		})
	}
}

var claudeDialogScreens = map[string]string{
	"2.1.104 write": `
─
 Create file
 w0.txt
  1 hello
  2 ❯ 1. Yes
  3   2. No
 Do you want to create w0.txt?
 ❯ 1. Yes
   2. Yes, allow all edits during this session (shift+tab)
   3. No

 Esc to cancel · Tab to amend`,

	"2.1.158 fetch": `
─
 Fetch
   url: "http://127.0.0.1:1/", prompt: "what"
   Claude wants to fetch content from 127.0.0.1
 Do you want to allow Claude to fetch this content?
 ❯ 1. Yes
   2. Yes, and don't ask again for 127.0.0.1
   3. No, and tell Claude what to do differently (esc)`,

	"2.1.330 with a message": `
─
 Bash command
 touch made0
 Do you want to proceed?
   1. Yes
   2. Yes, and switch to auto mode · auto mode handles these prompts for you
 ❯ 3. No, 1. use mv
          and not touch
 Esc to cancel`,

	"a plan": `
─
 Ready to write_plan?
 Do you want to
   1. Yes, and auto-accept edits
 ❯ 2. Yes
      with all that follows from it
   3. No, keep planning`,
}
