package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/tuiturn/tuiturn/examples/internal/killedhost"
	"github.com/tuiturn/tuiturn/reaper"
)

func TestMain(m *testing.M) {
	killedhost.Play()
	os.Exit(m.Run())
}

func sweep(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(t.Context(), args, &out, &errs)
	return status, out.String(), errs.String()
}

func TestNothingIsThere(t *testing.T) {
	is := is.New(t)
	status, out, errs := sweep(t, "-dir", t.TempDir(), "-kill")
	is.Equal(status, 0)
	is.Equal(out, "nothing found\n")
	is.Equal(errs, "")
}

// Leftovers are told of, ended when that is asked for, and then there are none.
func TestAKilledHost(t *testing.T) {
	is := is.New(t)
	dir, pid := killedhost.Leave(t)

	status, out, errs := sweep(t, "-dir", dir)
	is.Equal(status, statusLeft)
	is.Equal(errs, "")
	is.True(strings.Contains(out, "would end  directory  "+dir))
	is.True(strings.Contains(out, fmt.Sprintf("process %d", pid))) // why: its host
	is.True(strings.Contains(out, "sweep -kill ends them"))

	status, out, _ = sweep(t, "-dir", dir, "-json")
	is.Equal(status, statusLeft)
	var before reaper.Report
	is.NoErr(json.Unmarshal([]byte(out), &before))
	agent := 0
	for _, f := range before.Found {
		is.Equal(f.Verdict, reaper.WouldEnd)
		if f.Kind == reaper.Process {
			agent = f.Pid
		}
	}
	is.True(agent > 0) // the agent goes on

	status, out, errs = sweep(t, "-dir", dir, "-kill")
	is.Equal(status, 0)
	is.Equal(errs, "")
	is.True(strings.Contains(out, "ended  directory  "+dir))
	left, err := os.ReadDir(dir)
	is.NoErr(err)
	is.Equal(len(left), 0)

	status, out, _ = sweep(t, "-dir", dir)
	is.Equal(status, 0)
	is.Equal(out, "nothing found\n")
}

func TestEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Minute)
		defer cancel()
		var out bytes.Buffer
		status := run(ctx, []string{"-dir", t.TempDir(), "-every", "10m", "-json"}, &out, &out)
		is.Equal(status, 0)
		is.Equal(strings.Count(out.String(), `{"found":[]}`+"\n"), 3) // at 0, 10 and 20 minutes
	})
}

// A directory that can't be read is not one in which there is nothing.
func TestWhatCannotBeLookedAt(t *testing.T) {
	is := is.New(t)
	file := t.TempDir() + "/file"
	is.NoErr(os.WriteFile(file, nil, 0o600))
	status, _, errs := sweep(t, "-dir", file)
	is.Equal(status, statusBlind)
	is.True(strings.HasPrefix(errs, "sweep: "))
}

func TestUsage(t *testing.T) {
	for name, args := range map[string][]string{
		"an argument":       {"all"},
		"unknown flag":      {"-nope"},
		"less than no time": {"-every", "-1s"},
		"an empty name":     {"-dir", ""},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			status, out, errs := sweep(t, args...)
			is.Equal(status, statusUsage)
			is.Equal(out, "")
			is.True(errs != "")
		})
	}
}
