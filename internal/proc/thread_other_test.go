//go:build !linux

package proc

func exitThread() {}

func vfork() {}
