//go:build !linux && !darwin

package tmuxctl

import "errors"

func peerPid(int) (int, error) { return 0, errors.ErrUnsupported }
