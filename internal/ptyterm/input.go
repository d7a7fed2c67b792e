package ptyterm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/tuiturn/tuiturn/internal/terminal"
)

const (
	pasteStart = "\x1b[200~"
	pasteEnd   = "\x1b[201~"
)

// SendKeys implements [terminal.Terminal]. Nothing is sent if one of the keys
// is unknown.
func (t *Term) SendKeys(ctx context.Context, keys ...string) error {
	// Cursor keys need the program's mode; a screen that has failed still has
	// the last one known.
	_, appCursor, _ := t.screen.modes(ctx)
	if ctx.Err() != nil {
		return fmt.Errorf("sending keys to %s: %w", t.name, ctx.Err())
	}
	data, err := keyBytes(appCursor, keys)
	if err == nil {
		err = t.send(ctx, func() ([]byte, error) { return data, nil })
	}
	if err != nil {
		return fmt.Errorf("sending keys to %s: %w", t.name, err)
	}
	return nil
}

// Paste implements [terminal.Terminal]. It returns when the kernel has accepted all of
// text. At that time the program has read all but the last few KB.
//
// Written text cannot be taken back. If ctx ends in the middle, the program has a part
// of the text and waits for the rest of the paste. Then this Paste and every later
// SendKeys and Paste fail, and only Close is possible.
//
// Until the program has put its terminal into raw mode the kernel silently cuts
// every line over 4,095 bytes (Linux; 1,024 on macOS).
func (t *Term) Paste(ctx context.Context, text []byte) error {
	if bytes.Contains(text, []byte(pasteEnd)) {
		return fmt.Errorf("pasting into %s: the text holds the paste-end sequence ESC [ 201 ~, what follows it would be read as keys: remove it", t.name)
	}
	err := t.send(ctx, func() ([]byte, error) {
		// Asked only when the text is about to go in, behind all other input.
		bracketed, _, err := t.screen.modes(ctx)
		if err != nil || len(text) == 0 || !bracketed {
			return text, err
		}
		return []byte(pasteStart + string(text) + pasteEnd), nil
	})
	if err != nil {
		return fmt.Errorf("pasting into %s: %w", t.name, err)
	}
	return nil
}

// send writes the bytes that data returns to the program. No other input gets between
// them. If ctx interrupts the write before its first byte, nothing was written.
func (t *Term) send(ctx context.Context, data func() ([]byte, error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case t.input <- struct{}{}:
		defer func() { <-t.input }()
	case <-ctx.Done():
		return ctx.Err()
	case <-t.done:
	}
	select {
	case <-t.done:
		return os.ErrProcessDone
	default:
	}
	if t.torn != nil {
		return t.torn
	}
	p, err := data()
	if err != nil || len(p) == 0 {
		return err
	}

	// The end of the program interrupts the write too: a child that holds the
	// terminal open would keep it waiting.
	interrupted := make(chan struct{})
	written := make(chan struct{})
	go func() {
		defer close(interrupted)
		select {
		case <-written:
			return
		case <-ctx.Done():
		case <-t.done:
		}
		t.pty.SetWriteDeadline(time.Unix(1, 0))
	}()
	n, err := t.pty.Write(p)
	close(written)
	<-interrupted
	t.pty.SetWriteDeadline(time.Time{})
	if n == len(p) {
		return nil
	}

	select {
	case <-t.done:
		return os.ErrProcessDone
	default:
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = context.Cause(ctx)
	}
	if n > 0 {
		t.torn = fmt.Errorf("input ended after %d of %d bytes, the rest cannot follow: close the terminal", n, len(p))
		return fmt.Errorf("%w (%w)", t.torn, err)
	}
	return err
}

// reply writes the emulator's answers to the program until there are no more.
func (t *Term) reply() {
	for p := range t.screen.replies {
		// Errors mean that the program has ended.
		t.send(context.Background(), func() ([]byte, error) { return p, nil })
	}
}

// Unread implements [terminal.Terminal].
func (t *Term) Unread(ctx context.Context) (int, error) {
	select {
	case <-t.done:
		return 0, fmt.Errorf("looking at the input of %s: %w", t.name, os.ErrProcessDone)
	default:
	}
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("looking at the input of %s: %w", t.name, err)
	}
	n, err := terminal.Unread(t.tty)
	if err != nil {
		return 0, fmt.Errorf("looking at the input of %s: %w", t.name, err)
	}
	return n, nil
}

// Redraw makes the program draw its screen anew, by another size for a moment.
func (t *Term) Redraw(ctx context.Context) error {
	select {
	case <-t.done:
		return fmt.Errorf("redrawing %s: %w", t.name, os.ErrProcessDone)
	default:
	}
	if err := terminal.Redraw(ctx, t.tty); err != nil {
		return fmt.Errorf("redrawing %s: %w", t.name, err)
	}
	return nil
}
