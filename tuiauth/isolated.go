package tuiauth

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// checkIsolated fails if the home's own files hold a credential or would send one
// elsewhere. The operator wrote these files, so the error names them, and they stay
// as they are.
func checkIsolated(h Home) error {
	l := h.layout()
	// All entries count, not only the files that the Layout names: the agent also
	// reads instructions and skills, and writes transcripts.
	for _, dir := range []string{h.Dir, filepath.Join(h.Dir, l.Dir)} {
		entries, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			if l.isLogin(h.Dir, path) {
				continue // login takes care of it
			}
			if err := refuseLinkToReal(h, path); err != nil {
				return err
			}
		}
	}
	var all []string
	for _, name := range l.Settings {
		found, _, err := l.scanFile(filepath.Join(h.Dir, name))
		if err != nil {
			return err
		}
		for _, f := range found {
			if f.effect != network {
				all = append(all, "remove "+f.String()+": "+l.why(f.meaning))
			}
		}
	}
	for rank, c := range l.Credentials {
		if c.File == "" || filepath.IsAbs(c.File) {
			continue
		}
		path := filepath.Join(h.Dir, c.File)
		switch p, err := presence(path); p {
		case Unknown:
			return err
		case Present:
			all = append(all, "remove "+path+": "+l.why(meaning{credential, rank}))
		}
	}
	if len(all) > 0 {
		return fmt.Errorf("%w: %s", ErrCredential, strings.Join(all, "; "))
	}
	return nil
}
