//go:build !linux && !darwin && !freebsd

package lease

func bootID() string { return unknown }

func pidNamespace() string { return unknown }
