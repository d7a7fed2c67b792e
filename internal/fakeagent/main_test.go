package fakeagent

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if Enabled() {
		os.Exit(Main())
	}
	os.Exit(m.Run())
}
