package ptyterm

import (
	"bytes"
	"context"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
	"github.com/matryer/is"
)

// testScreen is a screen whose answers nobody reads.
func testScreen(t testing.TB, cols, rows int) *screen {
	s := newScreen(cols, rows)
	t.Cleanup(s.close)
	return s
}

func TestScreenJoinsWhatReadsHaveSplit(t *testing.T) {
	const text = "é日👍🏽👨‍👩‍👧x"
	for i := range len(text) {
		is := is.New(t)
		s := testScreen(t, 20, 1)
		s.feed([]byte(text[:i]))
		s.feed([]byte(text[i:]))
		got, err := s.text(context.Background())
		is.NoErr(err)
		is.Equal(got, text+"\n") // split at byte i
	}
}

func TestScreenCutsHostileSequencesToSize(t *testing.T) {
	for _, output := range []string{
		"\x1b[1;9999r\x1b[S", "\x1b[9999S", "\x1b[?69h\x1b[1;9999s\n\n\n\x1b[S", "x\x1b[2147483647b",
		"\x1b[2147483647X", "\x1b[2147483647@", "\x1b[2147483647P", "\x1b[2147483647L", "\x1b[2147483647M",
		"\x1b[2147483647I", "\x1b[2147483647Z", "\x1b[2147483647;2147483647H", "\x1b[99999999999999999999C",
		"\x1b[?2147483647h", "\x1b]8;;" + strings.Repeat("u", 1<<16) + "\x07link",
	} {
		is := is.New(t)
		s := testScreen(t, 20, 5)
		s.feed([]byte(output))
		s.feed([]byte("\x1bc\x1b[Halive"))
		got, err := s.text(context.Background())
		is.NoErr(err)                            // the emulator survives
		is.True(strings.HasPrefix(got, "alive")) // and goes on
	}
}

func TestScreenContainsAPanicOfTheEmulator(t *testing.T) {
	is := is.New(t)
	s := testScreen(t, 20, 5)
	s.emu.RegisterCsiHandler('m', func(ansi.Params) bool { panic("broken") })
	s.feed([]byte("x\x1b[m"))
	s.feed([]byte("more"))
	_, err := s.text(context.Background())
	is.True(err != nil)
	is.True(strings.Contains(err.Error(), "broken"))
}

func TestScreenNeverWaitsForAReaderOfItsAnswers(t *testing.T) {
	is := is.New(t)
	s := testScreen(t, 20, 5)
	s.feed(bytes.Repeat([]byte("\x1b[c\x1b[6n\x1b]11;?\x07"), 10*maxReplies))
	is.True(len(s.replies) > 0)
}

func TestScrollbackIsOff(t *testing.T) {
	is := is.New(t)
	s := testScreen(t, 80, 24)
	lines := bytes.Repeat([]byte("a line that scrolls away\r\n"), 5000)
	s.feed(lines)
	s.feed([]byte("\x1b[?1049h"))
	s.feed(lines)
	screens := reflect.ValueOf(s.emu).Elem().FieldByName("scrs")
	for i := range screens.Len() {
		sb := (*vt.Scrollback)(screens.Index(i).FieldByName("scrollback").UnsafePointer())
		is.True(sb.Len() <= 1) // lines kept by screen i
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 3 {
		s.feed(lines)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	is.True(int64(after.HeapAlloc)-int64(before.HeapAlloc) < 2<<20)
	runtime.KeepAlive(s)
}

func FuzzScreen(f *testing.F) {
	for _, seed := range []string{
		"plain\r\ntext", "\x1b[1;9999r\x1b[S", "日本\x1b[1D\x1b[2P", "\x1b[?69h\x1b[5;9s\x1b[3L\x1b[4M",
		"\x1b[?1049h\x1b[2J\x1b[?1049l", "\x1b(0\x1b)0\x0eqqq\x0f", "\x1b]0;title\x07\x1bPq\x1b\\\x1b_x\x1b\\",
		"\x1b[?6h\x1b[2;4r\x1b[9;9H\x1b[3b\x1b[g\x1b[3g\x1bH\t\x1b[Z", "\x1b[c\x1b[>c\x1b[5n\x1b[6n\x1b[?1$p", "e\u0301\u200d👍🏽\xff\x9b1m\x84\x8d",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, output []byte) {
		s := newScreen(20, 5)
		defer s.close()
		s.feed(output)
		text, err := s.text(t.Context())
		if err != nil {
			t.Fatalf("%q: %v", output, err)
		}
		if strings.Count(text, "\n") < 5 {
			t.Fatalf("%q: rows are missing: %q", output, text)
		}
	})
}

func BenchmarkFeed(b *testing.B) {
	for name, line := range map[string]string{"text": strings.Repeat("x", 79) + "\r\n", "newlines": "\n"} {
		b.Run(name, func(b *testing.B) {
			s := testScreen(b, 120, 40)
			chunk := []byte(strings.Repeat(line, 4096/len(line)))
			b.SetBytes(int64(len(chunk)))
			for b.Loop() {
				s.feed(chunk)
			}
		})
	}
}
