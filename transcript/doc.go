// Package transcript finds, follows and understands the transcript of an
// interactive agent: a file to which the agent appends one JSON object per line
// while it works. claude's is HOME/.claude/projects/FOLDER/SESSION.jsonl.
//
// [Find] and [Path] say where the file is. [Follow] turns it into typed events as
// it grows. [Turn] reads the outcome of one prompt from those events:
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
// [Sessions] lists the sessions of a home, and [Prune] removes old ones. [Drift]
// counts what a later version of the agent writes differently.
//
// These functions read what claude writes. A [Format] describes another agent: its
// files, its lines and the reports of its hooks. Everything behind the decoder
// ([Turn], [Deltas], [Outcome]) works for every agent.
//
// The wording of an answer or of an error decides nothing. What the comments say
// about claude was seen on 2.1.104, 2.1.158 and 2.1.330.
//
// Two words have a meaning of their own here:
//   - An aside is text of the agent that turned out not to be the answer
//     ([Delta].Aside).
//   - Drift is the difference between what a transcript holds and what is known of
//     its agent.
package transcript
