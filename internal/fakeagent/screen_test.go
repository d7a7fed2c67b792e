package fakeagent

import (
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestFrameFitsTheTerminal(t *testing.T) {
	for _, size := range [][2]int{{120, 40}, {80, 24}, {20, 8}, {3, 2}, {1, 1}} {
		for _, bottom := range []bool{false, true} {
			is := is.New(t)
			s := screen{banner: []string{"banner"}, footer: "? for shortcuts", status: "busy", bottom: bottom}
			for range 50 {
				s.say(strings.Repeat("wide 世界 ", 30))
			}
			l := line{}
			l.insert(strings.Repeat("text ", 300))
			for _, d := range []*dialog{nil, permissionDialog(&Tool{Command: "x"})} {
				f := s.frame(size[0], size[1], &l, d)
				is.True(strings.Count(f, "\n") < size[1]) // never scrolls
			}
		}
	}
}

func TestFrameShowsTheInputBetweenRules(t *testing.T) {
	is := is.New(t)
	s := screen{footer: "foot"}
	l := line{}
	l.insert("a\nb\x1b\x07")
	f := strings.ReplaceAll(s.frame(10, 20, &l, nil), "\x1b[K", "")
	rule := strings.Repeat("─", 10)
	is.True(strings.Contains(f, rule+"\r\n❯\u00a0a\r\n  b\r\n"+rule+"\r\n  foot")) // control bytes left out
}
