package reaper

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tuiturn/tuiturn/internal/proc"
)

// A Zombie is a process that has ended and that its parent has not waited for. It
// holds its pid, and nothing else, until the parent waits for it or ends.
type Zombie struct {
	Pid        int    `json:"pid"`
	Name       string `json:"name"` // of the program, cut to some 15 bytes
	Parent     int    `json:"parent"`
	ParentName string `json:"parentName"`
}

// Zombies lists the zombies among the children of process parent, for example of a
// tmux server, sorted by pid. If parent is 0, it lists all zombies of the system. No
// special rights are needed.
//
// A busy host always has some zombies for a moment. If a zombie is still there in a
// second call, its parent fails to reap it. The error wraps [errors.ErrUnsupported]
// where the process table can't be read.
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
