package lease

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/tuiturn/tuiturn/internal/proc"
	"github.com/tuiturn/tuiturn/internal/terminal"
)

// ServerVar is the environment variable that a tmux server of a lease carries,
// with the lease's ID as its value. The programs in its sessions carry
// [terminal.MarkerVar].
const ServerVar = "TUITURN_SERVER"

// unknown stands for a boot or a pid namespace that the system does not name.
const unknown = "0"

// An identity is the content of a lease's ID: "PID.START.BOOT.NS.NONCE".
type identity struct {
	host  proc.Identity
	boot  string // see bootID
	ns    string // see pidNamespace
	nonce string // 64 random bits, so that no two leases have one ID
}

func (id identity) String() string {
	return fmt.Sprintf("%d.%d.%s.%s.%s", id.host.Pid, id.host.Start, id.boot, id.ns, id.nonce)
}

// newIdentity returns the identity of a new lease of this process.
func newIdentity() (identity, error) {
	id := identity{host: proc.Identity{Pid: os.Getpid()}, boot: here().boot, ns: here().ns}
	if runtime.GOOS == "linux" {
		// In a new pid namespace with the /proc of another one, whoever has our
		// pid there is somebody else.
		if self, err := os.Readlink("/proc/self"); err != nil || self != strconv.Itoa(id.host.Pid) {
			return identity{}, fmt.Errorf("finding this process, %d, in /proc: /proc belongs to another pid namespace: mount /proc", id.host.Pid)
		}
	}
	start, ok := proc.StartTime(id.host.Pid)
	if !ok {
		return identity{}, fmt.Errorf("reading the start time of this process, %d: not found: mount /proc", id.host.Pid)
	}
	id.host.Start = start
	var nonce [8]byte
	rand.Read(nonce[:]) // never fails
	id.nonce = hex.EncodeToString(nonce[:])
	return id, nil
}

// parseID accepts exactly what String writes.
func parseID(s string) (identity, error) {
	bad := fmt.Errorf("%.100q is not the ID of a lease", s)
	f := strings.Split(s, ".")
	if len(f) != 5 {
		return identity{}, bad
	}
	pid, err := strconv.ParseInt(f[0], 10, 32)
	if err != nil || pid < 1 {
		return identity{}, bad
	}
	start, err := strconv.ParseUint(f[1], 10, 64)
	if err != nil {
		return identity{}, bad
	}
	id := identity{proc.Identity{Pid: int(pid), Start: start}, f[2], f[3], f[4]}
	if !word(id.boot, 1, 16) || !word(id.ns, 1, 20) || !word(id.nonce, 16, 16) || id.String() != s {
		return identity{}, bad
	}
	return id, nil
}

// word tells whether s is between least and most of [0-9a-z].
func word(s string, least, most int) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return least <= len(s) && len(s) <= most
}

// ParseMark parses an environment entry "KEY=VALUE" that [Lease.Mark] or
// [Lease.ServerMark] has made. id is the lease's ID, and name the session's name, which
// is empty for a server. ok is false for every other entry.
func ParseMark(entry string) (name, id string, ok bool) {
	key, value, _ := strings.Cut(entry, "=")
	switch key {
	case ServerVar:
		id = value
	case terminal.MarkerVar:
		at := strings.LastIndexByte(value, '@')
		dot := strings.LastIndexByte(value, '.')
		if at < 1 || dot < at {
			return "", "", false
		}
		n, err := strconv.ParseUint(value[dot+1:], 10, 64)
		if err != nil || n == 0 || strconv.FormatUint(n, 10) != value[dot+1:] {
			return "", "", false
		}
		name, id = value[:at], value[at+1:dot]
	}
	if _, err := parseID(id); err != nil {
		return "", "", false
	}
	return name, id, true
}

// A place is the boot and the pid namespace in which a pid has a meaning.
type place struct{ boot, ns string }

// here is this process's place.
var here = sync.OnceValue(func() place { return place{bootID(), pidNamespace()} })

// shorten makes a boot identifier fit for an ID: the first 48 of its random
// bits.
func shorten(boot string) string {
	boot = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(boot), "-", ""))
	if len(boot) > 12 {
		boot = boot[:12]
	}
	if !word(boot, 1, 12) {
		return unknown
	}
	return boot
}
