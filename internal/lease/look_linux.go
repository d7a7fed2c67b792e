package lease

// tools are the programs that the guardian runs.
var tools = []string{"grep", "ls", "rm", "rmdir", "sleep"}

// look prints the paths /proc/PID/environ of the processes whose environment holds one
// of two strings. It skips files that it may not read and processes that end meanwhile.
// Kernel threads and zombies have no environment. The signal follows within
// milliseconds, and a pid is used again only after all others. Without -z busybox reads
// only the first variable.
const look = `look() { grep -lszF -e "$1" -e "$2" /proc/[0-9]*/environ; }
`
