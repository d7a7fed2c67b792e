package transcript

import "time"

// DefaultSettle is how long the transcript must be quiet after the final
// message before the turn counts as over without a turn_duration line.
//
// The agent holds the lines of a message back until the message is whole and
// then writes them in one write, also when its blocks came seconds apart
// (2.1.104, 2.1.158, 2.1.330). It flushes every 100 ms, so what belongs to the
// end of the turn but missed that write, the turn_duration line included, is
// there after one more flush. 250 ms is two of them and some scheduling.
const DefaultSettle = 250 * time.Millisecond

// orphanQuiet is how long the transcript must be quiet before a line that has been
// kept back is taken where it stands. The agent writes every 100 ms, so the line
// before it is not late but missing: no version that is checked against does that.
const orphanQuiet = time.Second
