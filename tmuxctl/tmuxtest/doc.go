// Package tmuxtest is for the tests of programs that drive a terminal agent. It
// has an agent without a model, which a tuiturn.Runner takes for the real one,
// and a real tmux server for a test of its own ([New]).
//
// A test of a program that embeds a Runner needs neither tmux, claude nor a
// network. This is all of one:
//
//	func TestMain(m *testing.M) { tmuxtest.PlayAgent(); m.Run() }
//
//	func TestAnswer(t *testing.T) {
//		agent := tmuxtest.NewAgent(t, tmuxtest.Turn{Answer: "42"})
//		runner := &tuiturn.Runner{
//			Agent:    tuiturn.Claude{Path: agent.Path},
//			Home:     tuiauth.Home{Dir: agent.Home, Mode: tuiauth.Isolated},
//			Token:    "a-dummy-token",
//			Terminal: tuiturn.Pty,
//		}
//		defer runner.Close()
//		result, err := runner.Turn(t.Context(), tuiturn.Request{Prompt: "6 times 7?"})
//		if err != nil || result.Text != "42" {
//			t.Errorf("got %v, %v", result, err)
//		}
//	}
//
// What goes wrong is a field of a [Turn], and a line of a test:
//
//	tmuxtest.Turn{Answer: "42", Delay: time.Second}     // slow
//	tmuxtest.Turn{Stream: []string{"4", "2"}}           // in pieces
//	tmuxtest.Turn{Status: 401}                          // ErrAuthentication
//	tmuxtest.Turn{Status: 429}                          // *APIError: a rate limit
//	tmuxtest.Turn{Status: 529}                          // *APIError: an overload
//	tmuxtest.Turn{StopReason: "refusal"}                // ErrRefused
//	tmuxtest.Turn{StopReason: "max_tokens"}             // ErrTruncated
//	tmuxtest.Turn{Dialog: true}                         // *BlockedError
//	tmuxtest.Turn{Permission: "rm -rf build"}           // OnPermission, or *BlockedError
//	tmuxtest.Turn{Crash: true}                          // *ExitError
//	tmuxtest.Turn{Hang: true}                           // for deadlines and full queues
//
// Such a Runner looks in the directory for temporary files for what dead hosts
// have left, as any does; SweepEvery: -1 spares the test that.
package tmuxtest
