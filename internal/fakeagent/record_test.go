package fakeagent

import (
	"testing"

	"github.com/matryer/is"
)

func TestMunge(t *testing.T) {
	is := is.New(t)
	is.Equal(munge("/tmp/a_b.c D9"), "-tmp-a-b-c-D9")
	is.Equal(munge("/é🙂"), "----") // "é" is one UTF-16 unit, the emoji two
}
