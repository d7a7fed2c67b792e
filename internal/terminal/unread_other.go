//go:build !linux

package terminal

// fionread is FIONREAD of the BSDs and macOS, which x/sys does not name.
const fionread = 0x4004667f
