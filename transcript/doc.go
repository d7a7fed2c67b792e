// Package transcript finds, follows and understands the transcript that an
// interactive agent writes while it works: one JSON object per line, appended
// to HOME/.claude/projects/FOLDER/SESSION.jsonl.
//
// [Find] and [Path] say where it is, [Follow] turns it into typed events as it
// grows, and [Turn] reads the outcome of one prompt from those events:
//
//	turn := transcript.Turn{SessionID: id, Prompt: prompt}
//	follower := transcript.Follower{Path: path, Idle: transcript.DefaultSettle}
//	for ev, err := range follower.Events(ctx) {
//		if err != nil {
//			return err
//		}
//		turn.Add(ev)
//		if turn.Done() {
//			break
//		}
//	}
//	outcome := turn.Outcome()
//
// [Sessions] lists what a home holds and [Prune] keeps it small. [Drift] counts
// what a later version of the agent writes differently.
//
// Nothing is decided by the wording of an answer or of an error. What is said
// here about the agent was seen on claude 2.1.104, 2.1.158 and 2.1.330.
package transcript
