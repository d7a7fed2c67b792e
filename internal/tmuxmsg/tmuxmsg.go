// Package tmuxmsg tells what tmux's error messages mean, those of tmux 2.6 to 3.6.
package tmuxmsg

import (
	"slices"
	"strings"
)

// NoServer tells whether a message says that there is no server at the socket.
func NoServer(message string) bool {
	return hasOne(message, "no server running", "error connecting to", "server exited", "lost server", "no sessions")
}

// NoTarget tells whether a message says that a command was refused because its target is
// gone. A server that has lost all sessions and is about to end has no target at all
// (3.3a).
func NoTarget(message string) bool {
	return hasOne(message, "can't find", "no current target")
}

func hasOne(message string, words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(message, w) })
}
