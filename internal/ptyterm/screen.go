package ptyterm

import (
	"context"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
)

const (
	// maxReplies is how many answers wait for a program that sends queries and does
	// not read. Further answers are dropped, so that the program's output goes on.
	maxReplies = 64

	// maxMode is the highest terminal mode that the emulator receives: it would
	// store every number. All known modes are lower.
	maxMode = 9999
)

// A screen holds the emulator and controls all access to it.
//
// The program's output is not trusted. Some sequences make version 0.1.0 of the emulator
// index out of its buffer, loop for minutes or grow without bound. Handlers of our own
// limit the numbers in these sequences; feed recovers from any other panic.
type screen struct {
	// lock holds one token while the emulator is in use. Unlike a mutex, a caller can
	// stop waiting for it, and it serves waiters in order, so that endless output does
	// not starve Screen.
	lock chan struct{}

	emu       *vt.Emulator
	held      []byte // see feed
	bracketed bool   // mode 2004
	appCursor bool   // mode 1: cursor keys send ESC O
	err       error  // the emulator's panic; final

	replies chan []byte // closed when the emulator's answers have ended
}

// newScreen starts one goroutine, which ends with close.
func newScreen(cols, rows int) *screen {
	s := &screen{
		lock:    make(chan struct{}, 1),
		emu:     vt.NewEmulator(cols, rows),
		replies: make(chan []byte, maxReplies),
	}
	s.emu.SetCallbacks(vt.Callbacks{
		EnableMode:  func(m ansi.Mode) { s.mode(m, true) },
		DisableMode: func(m ansi.Mode) { s.mode(m, false) },
	})
	limitScrollback(s.emu)
	s.limitSequences(cols, rows)
	go s.pump()
	return s
}

// pump reads the emulator's answers from its pipe. The pipe has no buffer: a feed that
// answers a query waits for this read.
func (s *screen) pump() {
	defer close(s.replies)
	buf := make([]byte, 256)
	for {
		n, err := s.emu.Read(buf)
		if n > 0 {
			select {
			case s.replies <- append([]byte(nil), buf[:n]...):
			default:
			}
		}
		if err != nil {
			return
		}
	}
}

// close ends the pump. The screen stays readable; it must not be fed any more.
// Emulator.Close is not used: it writes a field that its Read reads unlocked.
func (s *screen) close() {
	s.emu.InputPipe().(io.Closer).Close()
}

func (s *screen) mode(m ansi.Mode, on bool) {
	switch m {
	case ansi.ModeBracketedPaste:
		s.bracketed = on
	case ansi.ModeCursorKeys:
		s.appCursor = on
	}
}

func (s *screen) acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *screen) release() { <-s.lock }

// feed emulates p. Non-ASCII text at the end of p is held back until more arrives or the
// screen is read. The emulator takes the end of a write for the end of a character, but
// a read may end between an emoji and its modifier.
func (s *screen) feed(p []byte) {
	s.lock <- struct{}{}
	defer s.release()
	data := append(s.held, p...)
	cut := len(data)
	for cut > 0 && data[cut-1] >= 0x80 && len(data)-cut < 64 {
		cut--
	}
	// Eight-bit controls, which may end a question, are not held back.
	if cut < len(data) && (data[cut] < 0xC2 || len(data)-cut == 64) {
		cut = len(data)
	}
	s.write(data[:cut])
	s.held = append([]byte(nil), data[cut:]...)
}

// write is the only function that passes output to the emulator. After a panic the
// emulator's state is undefined. From then on reading the screen fails, output is
// discarded, and the program continues. The lock must be held.
func (s *screen) write(p []byte) {
	if s.err != nil || len(p) == 0 {
		return
	}
	defer func() {
		if r := recover(); r != nil {
			s.err = fmt.Errorf("the terminal emulator failed on the program's output (%v): end the terminal and start anew", r)
		}
	}()
	s.emu.Write(p)
}

// text returns the visible rows. The second cell of a wide character has no content, so
// the character appears once.
func (s *screen) text(ctx context.Context) (string, error) {
	if err := s.acquire(ctx); err != nil {
		return "", err
	}
	defer s.release()
	s.write(s.held)
	s.held = nil
	if s.err != nil {
		return "", s.err
	}
	var out strings.Builder
	var row strings.Builder
	for y := range s.emu.Height() {
		row.Reset()
		for x := range s.emu.Width() {
			if c := s.emu.CellAt(x, y); c != nil {
				row.WriteString(c.Content)
			}
		}
		// Only blanks are trailing: a no-break space was printed on purpose.
		out.WriteString(strings.TrimRight(row.String(), " "))
		out.WriteByte('\n')
	}
	return out.String(), nil
}

// modes returns the input modes that the program has requested.
func (s *screen) modes(ctx context.Context) (bracketed, appCursor bool, err error) {
	if err := s.acquire(ctx); err != nil {
		return false, false, err
	}
	defer s.release()
	return s.bracketed, s.appCursor, s.err
}

// limitSequences adds a handler in front of the emulator's own for each sequence whose
// numbers the emulator does not check. The handler limits the numbers in place and
// passes the sequence on.
func (s *screen) limitSequences(cols, rows int) {
	limit := func(cmd int, limits ...int) {
		s.emu.RegisterCsiHandler(cmd, func(params ansi.Params) bool {
			for i, p := range params {
				max := limits[min(i, len(limits)-1)]
				if p.Param(0) > max {
					params[i] = ansi.Param(max)
				}
			}
			return false
		})
	}
	for _, cmd := range "@ABCDEFGILMPSTXZ`ade" {
		limit(int(cmd), max(cols, rows))
	}
	limit('H', rows, cols)
	limit('f', rows, cols)
	limit('r', rows) // a bottom margin below the screen: index out of range
	limit('s', cols) // likewise to the right
	limit('b', cols*rows)

	tooHigh := func(params ansi.Params) bool {
		for _, p := range params {
			if p.Param(0) > maxMode {
				return true
			}
		}
		return false
	}
	for _, prefix := range []byte{0, '?'} {
		s.emu.RegisterCsiHandler(ansi.Command(prefix, 0, 'h'), tooHigh)
		s.emu.RegisterCsiHandler(ansi.Command(prefix, 0, 'l'), tooHigh)
		s.emu.RegisterCsiHandler(ansi.Command(prefix, '$', 'p'), tooHigh)
	}

	// Titles, directories and links are not part of the text. A link would
	// stay with every cell, 4 MB each.
	for _, cmd := range []int{0, 1, 2, 7, 8} {
		s.emu.RegisterOscHandler(cmd, func([]byte) bool { return true })
	}
}

// limitScrollback turns off the emulator's scrollback. By default it keeps 10,000 lines
// for each of its two screens, some 150 MB at 120 columns. The API gives access to the
// main screen's limit only, so reflection finds the other one. If a later version has no
// such field, TestScrollbackIsOff fails.
func limitScrollback(emu *vt.Emulator) {
	emu.SetScrollbackSize(1)
	screens := reflect.ValueOf(emu).Elem().FieldByName("scrs")
	if screens.Kind() != reflect.Array {
		return
	}
	for i := range screens.Len() {
		sb := screens.Index(i).FieldByName("scrollback")
		if sb.IsValid() && sb.Type() == reflect.TypeFor[*vt.Scrollback]() {
			(*vt.Scrollback)(sb.UnsafePointer()).SetMaxLines(1)
		}
	}
}
