package tuiturn

import (
	"errors"
	"io/fs"
	"os/exec"
	"testing"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/internal/fakeagent"
)

func TestLocate(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := newStage(t, Pty, fakeagent.Script{Version: "2.1.330"})
	path, version, err := s.Locate(t.Context())
	is.NoErr(err)
	is.Equal(path, s.Agent.(Claude).Path)
	is.Equal(version, "2.1.330")

	s.Agent = Claude{Path: s.home + "/claude"}
	_, _, err = s.Locate(t.Context())
	is.True(errors.Is(err, fs.ErrNotExist))

	no, err := exec.LookPath("false")
	is.NoErr(err)
	s.Agent = Claude{Path: no}
	path, version, err = s.Locate(t.Context())
	is.True(err != nil)
	is.Equal(path, no)
	is.Equal(version, "")
}
