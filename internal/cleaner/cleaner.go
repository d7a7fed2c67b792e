// Package cleaner removes files like a cleaner of temporary files, for tests. tmpwatch
// and systemd-tmpfiles remove old files one by one, and may spare sockets and FIFOs. A
// cron job or a person removes a whole directory.
package cleaner

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// ways are the selections that a cleaner may make of everything below a directory.
var ways = []struct {
	name string
	take func(r *rand.Rand, all []entry) []entry
}{
	{"everything", func(_ *rand.Rand, all []entry) []entry { return all[1:] }},
	{"the directory itself", func(_ *rand.Rand, all []entry) []entry { return all[:1] }},
	{"sockets", only(func(e entry) bool { return e.mode.Type() == fs.ModeSocket })},
	{"sockets and FIFOs", only(func(e entry) bool { return e.mode.Type()&(fs.ModeSocket|fs.ModeNamedPipe) != 0 })},
	{"regular files", only(func(e entry) bool { return e.mode.IsRegular() })},
	{"empty directories", only(func(e entry) bool { return e.mode.IsDir() && e.empty })},
	{"one thing", func(r *rand.Rand, all []entry) []entry { return pick(r, all[1:], 1) }},
	{"one directory", func(r *rand.Rand, all []entry) []entry {
		return pick(r, only(func(e entry) bool { return e.mode.IsDir() })(r, all[1:]), 1)
	}},
	{"half of the files", func(r *rand.Rand, all []entry) []entry {
		files := only(func(e entry) bool { return !e.mode.IsDir() })(r, all)
		return pick(r, files, (len(files)+1)/2)
	}},
}

// An entry is the directory or something below it.
type entry struct {
	path  string
	mode  fs.FileMode
	empty bool // a directory with nothing in it
}

func only(what func(entry) bool) func(*rand.Rand, []entry) []entry {
	return func(_ *rand.Rand, all []entry) (some []entry) {
		for _, e := range all {
			if what(e) {
				some = append(some, e)
			}
		}
		return some
	}
}

func pick(r *rand.Rand, all []entry, n int) (some []entry) {
	for _, i := range r.Perm(len(all))[:min(n, len(all))] {
		some = append(some, all[i])
	}
	return some
}

// Clean removes files below dir, or dir itself, as r chooses, and returns a description
// of what it has removed. A directory is removed with everything in it.
func Clean(r *rand.Rand, dir string) string {
	way := ways[r.IntN(len(ways))]
	said := way.name + ":"
	all := list(dir)
	if len(all) == 0 {
		return said
	}
	for _, e := range way.take(r, all) {
		if _, err := os.Lstat(e.path); err != nil {
			continue // it went with its directory
		}
		os.RemoveAll(e.path)
		name, _ := filepath.Rel(dir, e.path)
		said += fmt.Sprintf(" %s", name)
	}
	return said
}

// list lists dir, if it exists, and everything below it, in the order of the names.
func list(dir string) (all []entry) {
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // it has gone meanwhile
		}
		e := entry{path: path, mode: d.Type()}
		if d.IsDir() {
			names, err := os.ReadDir(path)
			e.empty = err == nil && len(names) == 0 && path != dir
		}
		all = append(all, e)
		return nil
	})
	return all
}
