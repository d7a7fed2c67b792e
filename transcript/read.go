package transcript

import (
	"io"
	"iter"
	"os"
)

// Read yields the events of the transcript at path as it is now, up to its last
// complete line. If the file cannot be read, Read yields an error and a zero Event,
// and ends.
func Read(path string) iter.Seq2[Event, error] { return defaultFormat.Read(path) }

// Read is [Read] for a transcript of f's agent.
func (f *Format) Read(path string) iter.Seq2[Event, error] {
	decode := f.orDefault().Decode
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
				ev := decode(line)
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
