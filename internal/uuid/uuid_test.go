package uuid

import (
	"regexp"
	"testing"

	"github.com/matryer/is"
)

func TestNew(t *testing.T) {
	is := is.New(t)
	a, b := New(), New()
	is.True(regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(a))
	is.True(a != b)
}
