package tuiauth

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// configFiles are the files to be seeded: those that the agent may read.
func configFiles(home string) []string {
	path := filepath.Join(home, ".claude.json")
	// Where the older place of that file is in use, the agent (2.1.104 to
	// 2.1.330) reads that one. Which of two it prefers depends on its version,
	// so both are seeded; the newer is not made, for that would change the
	// choice.
	legacy := filepath.Join(home, ".claude", ".config.json")
	if info, err := os.Stat(legacy); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return []string{legacy}
		}
		return []string{legacy, path}
	}
	return []string{path}
}

// claudeEdits are what .claude.json has to say.
func claudeEdits(workdir string, mode Mode) []edit {
	if mode == Real {
		return []edit{trust(workdir)}
	}
	return []edit{
		{path: []string{"hasCompletedOnboarding"}, value: "true"},
		{path: []string{"theme"}, value: `"dark"`, keep: true},
		trust(workdir),
		{path: []string{"projects", workdir, "hasCompletedProjectOnboarding"}, value: "true"},
		// A CLAUDE.md in workdir may name files outside it. It is not asked about,
		// and they are not read.
		{path: []string{"projects", workdir, "hasClaudeMdExternalIncludesWarningShown"}, value: "true"},
		{path: []string{"projects", workdir, "hasClaudeMdExternalIncludesApproved"}, value: "false", keep: true},
	}
}

func trust(workdir string) edit {
	return edit{path: []string{"projects", workdir, "hasTrustDialogAccepted"}, value: "true"}
}
