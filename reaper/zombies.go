package reaper

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tuiturn/tuiturn/internal/proc"
)

// A Zombie is a process that has ended and whose parent has not asked how: it
// holds its pid, and nothing else, until the parent does or ends.
type Zombie struct {
	Pid        int    `json:"pid"`
	Name       string `json:"name"` // the program's, cut to some 15 bytes
	Parent     int    `json:"parent"`
	ParentName string `json:"parentName"`
}

// Zombies lists the zombies among the children of process parent, for example
// of a tmux server, or all of the system's if parent is 0, by pid. No right over
// them is needed.
//
// Some are there on every busy host, for a moment: a process that is still there
// in a second look is the fault of its parent. The error wraps
// [errors.ErrUnsupported] where the process table can't be read.
func Zombies(parent int) ([]Zombie, error) {
	all, err := proc.All()
	if err != nil {
		return nil, fmt.Errorf("looking for zombies: %w", err)
	}
	names := map[int]string{}
	for _, p := range all {
		names[p.Pid] = p.Name
	}
	var zombies []Zombie
	for _, p := range all {
		if p.Zombie && (parent == 0 || p.Parent == parent) {
			zombies = append(zombies, Zombie{p.Pid, p.Name, p.Parent, names[p.Parent]})
		}
	}
	slices.SortFunc(zombies, func(a, b Zombie) int { return cmp.Compare(a.Pid, b.Pid) })
	return zombies, nil
}
