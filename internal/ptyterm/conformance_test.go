package ptyterm

import (
	"testing"

	"github.com/tuiturn/tuiturn/internal/terminal"
	"github.com/tuiturn/tuiturn/internal/terminal/terminaltest"
)

func TestMain(m *testing.M) { terminaltest.Main(m) }

func TestConformance(t *testing.T) {
	terminaltest.Run(t, func(t *testing.T, cfg terminal.Config) (terminal.Terminal, error) {
		return Start(t.Context(), cfg)
	})
}
