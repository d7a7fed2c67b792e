package tmuxctl_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/tuiturn/tuiturn/tmuxctl"
)

// What it returns is for a shell of any kind, and means what was asked for.
func ExampleBuildCmd() {
	cmd, err := tmuxctl.BuildCmd(tmuxctl.Command{
		Path:  "/usr/bin/printf",
		Args:  []string{"%s\n", "it's $HOME; rm -rf /"},
		Env:   []string{"LANG=C"},
		Unset: []string{"EDITOR"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(cmd)
	// Output:
	// unset EDITOR; export LANG='C'; exec '/usr/bin/printf' '%s
	// ' 'it'\''s $HOME; rm -rf /'
}

// A server of one's own, a program in it, and keys for that.
func ExampleServer_NewSession() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	server := &tmuxctl.Server{}
	defer server.Close() // ends what runs in it
	session, err := server.NewSession(ctx, tmuxctl.SessionConfig{
		Name: "shell",
		Command: tmuxctl.Command{
			Path: "/bin/sh",
			Env:  []string{"PATH=/usr/bin:/bin", "API_KEY=never an argument"},
			Dir:  "/",
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := session.Paste(ctx, []byte("exit 3")); err != nil {
		log.Fatal(err)
	}
	if err := session.SendKeys(ctx, "Enter"); err != nil {
		log.Fatal(err)
	}
	<-session.Done()
	fmt.Println(session.Status().ExitStatus())
}
