// Package reaper ends what earlier turns left behind, and nothing else.
//
// The process in a tmux pane is a child of the tmux server. When the server
// misses its end, the process stays in the table, defunct, for as long as the
// server lives: on a host that runs many turns in one server they pile up. A
// server that serves nobody else can simply be ended.
package reaper
