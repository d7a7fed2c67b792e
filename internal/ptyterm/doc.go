// Package ptyterm runs a program in a pseudo terminal of its own and keeps its
// screen, for hosts without tmux.
//
// The screen is kept by a terminal emulator inside this process, which also
// answers the program's questions (device attributes, cursor position,
// colours). Output is read and emulated as it comes, whoever looks at the
// screen; nothing of what scrolls away is kept.
package ptyterm
