// Package proc finds processes, watches them, and ends them with all that they
// started, children of this process or not.
//
// A process is identified by its pid and its start time, never by its pid alone. The
// system uses a pid again, and a signal to a recycled pid would hit another process.
package proc
