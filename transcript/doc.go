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
// By default this package reads what claude writes. A [Format] describes another
// agent: its files, its lines and the reports of its hooks. Everything behind the
// decoder ([Turn], [Deltas], [Outcome]) works for every agent.
//
// No outcome depends on the wording of an answer or an error. What the comments say
// about claude was seen on 2.1.104, 2.1.158 and 2.1.330.
//
// Three words have a meaning of their own here:
//   - An aside is text of the agent that turned out not to be the answer
//     ([Delta].Aside).
//   - Drift is the difference between what a transcript holds and what is known of
//     its agent.
//   - A report is a JSON line that a hook of the agent appends to another file. It says
//     what the transcript does not say, or says later. Read reports with a [Follower]
//     whose Format has the agent's [Format].Report as Decode.
package transcript
