package tuiauth

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// claudeScan lists the settings that scanSettings finds, except a key that the agent
// does not read in this file.
func claudeScan(path string, doc []byte) (map[string]string, error) {
	found, err := scanSettings(doc)
	if strings.HasSuffix(path, ".claude.json") || strings.HasSuffix(path, ".config.json") {
		delete(found, "apiKeyHelper")
	} else {
		delete(found, "primaryApiKey")
	}
	return found, err
}

// scanSettings lists the settings in doc that may affect the choice of the
// credential. It looks at names, not at values: an empty token replaces a good one
// too.
func scanSettings(doc []byte) (map[string]string, error) {
	doc = bytes.TrimPrefix(doc, []byte("\xef\xbb\xbf")) // as the agent does
	if len(bytes.TrimSpace(doc)) == 0 {
		return nil, nil
	}
	if err := checkDoc(doc); err != nil {
		return nil, err
	}
	pos := skipSpace(doc, 0)
	if doc[pos] != '{' {
		return nil, fmt.Errorf("%w: it is not an object", ErrMalformed)
	}
	top, err := members(doc, pos)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrMalformed, err)
	}
	found := make(map[string]string)
	for _, m := range top {
		value := string(doc[m.value:m.end])
		if value == "null" || value == `""` {
			continue // the agent ignores it
		}
		switch m.name {
		case "apiKeyHelper", "primaryApiKey":
			found[m.name] = ""
		case "env":
			if value[0] != '{' {
				return nil, fmt.Errorf("%w: %q is not an object", ErrMalformed, m.name)
			}
			env, err := members(doc, m.value)
			if err != nil {
				return nil, fmt.Errorf("%w: %v", ErrMalformed, err)
			}
			for _, v := range env {
				found[edit{path: []string{"env", v.name}}.String()] = v.name
			}
		}
	}
	return found, nil
}

// claudeProject returns the settings files of a working directory, in decreasing
// precedence. 2.1.330 also reads the local settings in the root of the git repository
// and in its main work tree.
func claudeProject(workdir string) []string {
	files := []string{
		filepath.Join(workdir, ".claude", "settings.local.json"),
		filepath.Join(workdir, ".claude", "settings.json"),
	}
	for _, root := range gitRoots(workdir) {
		if root != workdir {
			files = append(files, filepath.Join(root, ".claude", "settings.local.json"))
		}
	}
	return files
}

// gitRoots returns the root of the git work tree that holds dir, and the root of the
// main work tree that it belongs to.
func gitRoots(dir string) (roots []string) {
	for {
		git := filepath.Join(dir, ".git")
		if info, err := os.Stat(git); err == nil {
			roots = append(roots, dir)
			if !info.Mode().IsRegular() {
				return roots
			}
			// A linked work tree: "gitdir: MAIN/.git/worktrees/NAME".
			text, _ := os.ReadFile(git)
			linked, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "gitdir: ")
			if ok && !filepath.IsAbs(linked) {
				linked = filepath.Join(dir, linked)
			}
			if main := filepath.Dir(filepath.Dir(linked)); ok && filepath.Base(main) == ".git" {
				roots = append(roots, filepath.Dir(main))
			}
			return roots
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return nil
		}
		dir = parent
	}
}

// claudeManaged returns the administrator's settings files, in decreasing precedence.
func claudeManaged(goos string) []string {
	dir := "/etc/claude-code"
	if goos == "darwin" {
		dir = "/Library/Application Support/ClaudeCode"
	}
	// The agent merges the fragments into the file, in the order of their names.
	files, _ := filepath.Glob(filepath.Join(dir, "managed-settings.d", "*.json")) // a bad pattern is the only error
	slices.Reverse(files)
	return append(files, filepath.Join(dir, "managed-settings.json"))
}
