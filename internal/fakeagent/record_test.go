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

func TestUUIDIsARandomOne(t *testing.T) {
	is := is.New(t)
	a, b := newUUID(), newUUID()
	is.True(uuidPattern.MatchString(a))
	is.Equal(a[14], byte('4')) // version 4
	is.True(a != b)
}
