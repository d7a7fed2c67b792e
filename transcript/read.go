package transcript

import (
	"io"
	"iter"
	"os"
)

// Read yields the events of the transcript at path as it is now, from its
// beginning to its last whole line, and an error if it cannot be read.
func Read(path string) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		file, err := os.Open(path)
		if err != nil {
			yield(Event{}, err)
			return
		}
		defer file.Close()
		var l lines
		for {
			_, err := l.fill(file)
			for {
				line, offset, ok := l.next()
				if !ok {
					break
				}
				if isBlank(line) {
					continue
				}
				ev := Decode(line)
				ev.Offset, ev.End = offset, l.offset
				if !yield(ev, nil) {
					return
				}
			}
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(Event{}, err)
				return
			}
		}
	}
}
