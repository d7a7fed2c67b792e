// Package tmuxctl runs programs in a tmux server of its own and drives them:
// keys, pastes, the screen, the end.
//
// A [Server] is private: its socket lies in a directory that only its owner can
// enter, it reads no configuration, and it never meets the user's own server. A
// program's environment is exactly what was asked for, and reaches it through a
// FIFO, so that no value ever stands in a process's arguments, in tmux's memory
// or in a file.
//
//	server := &tmuxctl.Server{}
//	defer server.Close()
//	session, err := server.NewSession(ctx, tmuxctl.SessionConfig{
//		Name:    "shell",
//		Command: tmuxctl.Command{Path: "/bin/sh", Env: []string{"PATH=/usr/bin:/bin"}, Dir: "/"},
//	})
//	err = session.Paste(ctx, []byte("echo $((6 * 7))"))
//	err = session.SendKeys(ctx, "Enter")
//	screen, err := session.Screen(ctx) // once the program has answered
//
// Tested on tmux 3.1c, 3.3a, 3.5a and 3.8; 2.6 to 3.0 are provided for and were
// not tried. Servers and sessions are safe for concurrent use.
package tmuxctl
