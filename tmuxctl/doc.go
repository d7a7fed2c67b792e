// Package tmuxctl runs programs in a tmux server of its own and drives them: it
// sends keys and pastes, reads the screen, and ends the programs.
//
// A [Server] is private by default. Its socket is in a directory that only its owner
// can enter, it reads no configuration (but tmux up to 2.9a reads /etc/tmux.conf),
// and it never contacts the user's own server. A program gets the environment that
// its [Command] lists, to which [MarkerVar] and, if missing, TERM are added. The
// environment goes through a FIFO, so no value is ever in a process's arguments, in
// tmux's memory or in a file.
//
// The server's directory is a lease: a directory that records which host process
// it belongs to. Each lease has a guardian, a small shell process that ends
// everything in the server when the host process dies. Package reaper ends what a
// guardian could not.
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
// The tests run on tmux 3.1c, 3.3a, 3.5a and 3.8. The code also supports 2.6 to
// 3.0, which were not tried. Servers and sessions are safe for concurrent use.
package tmuxctl
