//go:build !linux

package lease

import "runtime"

// tools are the programs that the guardian runs.
var tools = []string{"grep", "ls", "ps", "rm", "rmdir", "sleep"}

// look prints the pids of the processes whose line in ps holds one of two
// strings. ps shows arguments and environment together, those of this user's
// own processes; the guardian's own arguments hold neither string.
//
// Written from the manuals of ps on macOS (-E) and the BSDs (-e), and never run.
var look = `look() {
	ps ` + psEnvironment() + ` -o pid= -o command= | while read -r pid rest; do
		case $rest in *"$1"* | *"$2"*) echo "$pid" ;; esac
	done
}
`

func psEnvironment() string {
	if runtime.GOOS == "darwin" {
		return "-axEww"
	}
	return "-axeww"
}
