// Package fakeagent is a small terminal program that behaves like the interactive claude
// CLI, for tests and demonstrations without claude and without a network.
//
// It is not a command of its own. A test binary or an example program
// re-executes itself with [EnvVar] set:
//
//	func TestMain(m *testing.M) {
//		if fakeagent.Enabled() {
//			os.Exit(fakeagent.Main())
//		}
//		os.Exit(m.Run())
//	}
//
// and starts os.Executable() in a terminal with the environment of
// [Script.Environ]. The agent's input line is as dangerous as the real one: it
// runs "!command", obeys "/exit" and reads "@file", so that a test can show
// that a prompt did none of these.
//
// The behaviour was observed on claude 2.1.104 and 2.1.330. Where they differ, the zero
// [Script] draws like 2.1.104 and writes its transcript like 2.1.330. With Script.Rollout
// the agent keeps its sessions in a second manner, which resembles codex: see there.
//
// The agent ends when its terminal ends, unless its script says otherwise. A process that
// a script makes immune to signals ends by itself after two minutes, so that a failed
// test leaves nothing for long.
package fakeagent
