// Package proc finds processes, watches them, and ends them with all that they
// started, children of this process or not.
//
// A process is named by its pid and its start time, never by a pid alone: a pid
// is used again, and a signal sent to a recycled one hits a stranger.
package proc
