package fakeagent

import (
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestDialogChoices(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		no       bool
		want     string
	}{
		{"enter takes the highlighted one", "\r", false, "Yes, I trust this folder"},
		{"a blind enter says no", "\r", true, "No, exit"},
		{"down", "\x1b[B\r", false, "No, exit"},
		{"around the end", "\x1b[A\r", true, "Yes, I trust this folder"},
		{"a number", "2", false, "No, exit"},
		{"no numbers where none are shown", "2\x1b[B\r", true, "Yes, I trust this folder"},
		{"escape", "\x1b", false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is := is.New(t)
			d, yes := trustDialog("/w", tt.no)
			is.True(strings.HasPrefix(d.options[yes], "Yes"))
			var p keyParser
			got := "nothing"
			for _, k := range append(p.feed([]byte(tt.in)), p.flush()...) {
				if n, ok := d.press(k); ok {
					got = ""
					if n != cancelled {
						got = d.options[n]
					}
				}
			}
			is.Equal(got, tt.want)
		})
	}
}

func TestPermissionMenuLooksLikeTheRealOne(t *testing.T) {
	is := is.New(t)
	rows := strings.Join(permissionDialog(&Tool{Command: "touch x"}).rows(), "\n")
	for _, want := range []string{"Do you want to proceed?", "❯ 1. Yes", "3. No", "Esc to cancel"} {
		is.True(strings.Contains(rows, want)) // a line of the menu
	}
}
