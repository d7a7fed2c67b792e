package lease

import (
	"fmt"
	"os"
	"syscall"
)

// bootID tells this boot from every other one.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return unknown
	}
	return shorten(string(id))
}

// pidNamespace tells the pid namespaces that exist at one time apart; one that
// is gone may have had the same number.
func pidNamespace() string {
	info, err := os.Stat("/proc/self/ns/pid")
	if err != nil {
		return unknown // a kernel without namespaces has only the one
	}
	return fmt.Sprint(info.Sys().(*syscall.Stat_t).Ino)
}
