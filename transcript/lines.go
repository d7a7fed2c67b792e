package transcript

import (
	"bytes"
	"io"
	"slices"
)

const (
	readSize = 64 << 10 // room for one read; new versions write lines of 90 KB
	keepSize = 1 << 20  // a larger buffer is released after its line
)

// lines cuts a growing byte stream into lines. It holds a last line until the line's
// newline comes, however many reads that takes. It searches no byte twice.
type lines struct {
	buf    []byte
	start  int   // first byte not yet returned
	search int   // first byte not yet searched for a newline
	offset int64 // of buf[start] in the stream
}

// fill reads once. It invalidates the slices that next has returned.
func (l *lines) fill(r io.Reader) (int, error) {
	if l.start > 0 {
		n := copy(l.buf, l.buf[l.start:])
		l.buf, l.search, l.start = l.buf[:n], l.search-l.start, 0
		if n == 0 && cap(l.buf) > keepSize {
			l.buf = nil
		}
	}
	l.buf = slices.Grow(l.buf, readSize)
	n, err := r.Read(l.buf[len(l.buf):cap(l.buf)])
	l.buf = l.buf[:len(l.buf)+n]
	return n, err
}

// next returns the next complete line without its newline, and the line's offset.
// The line is valid until fill.
func (l *lines) next() (line []byte, offset int64, ok bool) {
	i := bytes.IndexByte(l.buf[l.search:], '\n')
	if i < 0 {
		l.search = len(l.buf)
		return nil, 0, false
	}
	end := l.search + i
	line, offset = l.buf[l.start:end], l.offset
	l.offset += int64(end + 1 - l.start)
	l.start, l.search = end+1, end+1
	return line, offset, true
}

// end returns the offset behind the last byte that was read.
func (l *lines) end() int64 { return l.offset + int64(len(l.buf)-l.start) }

// torn reports whether part of a line is held.
func (l *lines) torn() bool { return l.start < len(l.buf) }
