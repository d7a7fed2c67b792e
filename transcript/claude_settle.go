package transcript

import "time"

// DefaultSettle is how long the transcript must be quiet after the final message
// before a turn without a [TurnDuration] line is over.
//
// The value is from claude. claude writes all lines of a message at once when the
// message is complete, also if its blocks came seconds apart (2.1.104, 2.1.158,
// 2.1.330). It writes every 100 ms. A line of the turn's end that missed one write is
// there after the next. 250 ms is two writes and some time for scheduling.
const DefaultSettle = 250 * time.Millisecond

// orphanQuiet is how long the transcript must be quiet before a Turn takes a held line
// in the file's order. claude writes every 100 ms: after that time the line before the
// held line is not late but missing. No version that was tested leaves a line out.
const orphanQuiet = time.Second
