// Package ptyterm runs a program in a pseudo terminal of its own and keeps its
// screen, for hosts without tmux.
//
// A terminal emulator inside this process keeps the screen and answers the program's
// queries (device attributes, cursor position, colours). Output is read and emulated as
// it arrives, also when nobody reads the screen. Lines that scroll away are not kept.
package ptyterm
