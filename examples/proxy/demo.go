package main

import (
	"os"
	"path/filepath"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/internal/fakeagent"
)

// This file is for -demo only. Leave it out of a program that you make from this one.

// beDemoAgent makes this program act as the agent if it was started as the agent.
func beDemoAgent() {
	if fakeagent.Enabled() {
		os.Exit(fakeagent.Main())
	}
}

// demo makes the runner use the built-in agent, in a home and a directory of its
// own unless they are given.
func (r *runner) demo(o *options) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	r.Agent = tuiturn.Claude{Path: self}
	r.Env = append(fakeagent.Script{Version: "2.1.330"}.Environ(), r.Env...)
	r.Token = "dummy-token-of-the-demo"
	r.SweepEvery = -1 // a demonstration ends nobody's leftovers
	dir, err := os.MkdirTemp("", "proxy-demo-")
	if err != nil {
		return err
	}
	r.clean = func() { os.RemoveAll(dir) }
	if o.home == "" {
		o.home = filepath.Join(dir, "home")
	}
	if o.workdir == "" {
		o.workdir = dir
	}
	return nil
}
