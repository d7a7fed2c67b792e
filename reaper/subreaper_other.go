//go:build !linux

package reaper

import (
	"errors"

	"github.com/tuiturn/tuiturn/internal/proc"
)

func subreap() (stop func(), err error) { return nil, errors.ErrUnsupported }

func observe(...proc.Identity) {}
