//go:build unix

package transcript_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/matryer/is"
	"github.com/tuiturn/tuiturn/transcript"
	"golang.org/x/sys/unix"
)

// A program that can write where a follower waits for a transcript must not be able to
// block the follower.
func TestFollowAFIFO(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), session+".jsonl")
	is.NoErr(unix.Mkfifo(path, 0o600))
	_, err := collect(deadline(t), &transcript.Follower{Path: path}, 1)
	is.True(err != nil)
	is.True(!errors.Is(err, context.DeadlineExceeded))
}
