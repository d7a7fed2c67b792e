package tuiturn

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// versionWait is how long a program may take to tell its version.
const versionWait = 20 * time.Second

// versions remembers what programs have said. An update makes another file.
var versions sync.Map // of programFile to string

type programFile struct {
	path string
	size int64
	time time.Time
}

// versionOf asks a program for its version: "2.1.330". It does so once for each
// file, and as long as it is the same.
func versionOf(ctx context.Context, path string, env []string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	file := programFile{path, info.Size(), info.ModTime()}
	if v, ok := versions.Load(file); ok {
		return v.(string), nil
	}
	ctx, cancel := context.WithTimeout(ctx, versionWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.Env = env
	cmd.Dir = os.TempDir()
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("asking %s for its version: %w", path, err)
	}
	v := versionWord.FindString(string(out))
	if v == "" {
		return "", fmt.Errorf("asking %s for its version: there is none in what it prints", path)
	}
	versions.Store(file, v)
	return v, nil
}

var versionWord = regexp.MustCompile(`\b\d+\.\d+\.\d+\b`)

// atLeast compares versions number by number. What is no version is older than
// any.
func atLeast(version, oldest string) bool {
	have, want := strings.Split(version, "."), strings.Split(oldest, ".")
	for i := range want {
		if i >= len(have) {
			return false
		}
		h, err := strconv.Atoi(have[i])
		if err != nil {
			return false
		}
		if w, _ := strconv.Atoi(want[i]); h != w {
			return h > w
		}
	}
	return true
}
