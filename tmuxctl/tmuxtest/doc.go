// Package tmuxtest helps to test programs that drive a terminal agent. [NewAgent]
// makes a scripted agent, which a tuiturn.Runner drives like the real one. [New] makes
// a real, private tmux server.
//
// A test of a program that embeds a Runner needs neither tmux nor claude nor a
// network. This is a complete test:
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
// Each fault is a field of a [Turn]. The comments name what the Runner returns:
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
// Like any Runner, this one looks in os.TempDir for what dead hosts have left. Set
// SweepEvery to -1 to skip that in a test.
package tmuxtest
