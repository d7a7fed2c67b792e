//go:build !linux

package tuiturn

import "context"

func beLimited(context.Context, *Runner, hostConfig) { panic("not on this system") }
