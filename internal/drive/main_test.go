package drive

import (
	"os"
	"testing"

	"github.com/tuiturn/tuiturn/internal/lease"
)

func TestMain(m *testing.M) {
	lease.Apart()
	lease.Considered = lease.NoOrphans
	os.Exit(m.Run())
}
