package tuiauth

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// CheckHome tells what [PrepareHome] would change, or why it would fail, and
// changes nothing. In its Report are the things that are to be made, seeded,
// linked and removed; a file in MovedAside has the name that it has now. A home
// that needs nothing is ready: its Report is empty but for Mode. Whether the home
// can be written is not tried.
func CheckHome(h Home, workdir string) (Report, error) {
	report := Report{Mode: h.Mode}
	err := checkHome(h, workdir, &report)
	if err != nil {
		err = fmt.Errorf("check %s home: %w", h.Mode, err)
	}
	return report, err
}

func checkHome(h Home, workdir string, report *Report) error {
	edits, err := seeds(h, workdir)
	if err != nil {
		return err
	}
	if h.Mode != Real {
		if err := checkDirs(h, report); err != nil {
			return err
		}
		if err := checkInside(h, report); err != nil {
			return err
		}
	}
	for _, path := range configFiles(h) {
		if err := checkSeed(h, path, edits, report); err != nil {
			return err
		}
	}
	return nil
}

// checkDirs is makeHome for a look.
func checkDirs(h Home, report *Report) error {
	for _, dir := range []string{h.Dir, filepath.Join(h.Dir, ".claude")} {
		info, err := os.Stat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			report.Created = append(report.Created, dir)
		case err != nil:
			return err
		case !info.IsDir():
			return fmt.Errorf("%w; move it away or configure another home", &fs.PathError{Op: "check", Path: dir, Err: errNotDir})
		}
	}
	if len(report.Created) == 2 {
		return nil
	}
	return checkApart(h)
}

// checkInside looks at what is in the home.
func checkInside(h Home, report *Report) error {
	if h.Mode == Isolated {
		if err := checkIsolated(h); err != nil {
			return err
		}
	}
	path := filepath.Join(h.Dir, ".claude", ".credentials.json")
	real := filepath.Join(h.RealHome, ".claude", ".credentials.json")
	info, err := os.Lstat(path)
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case missing && h.Mode == Isolated:
		return nil
	case missing:
	case err != nil:
		return err
	case h.Mode == Linked && linked(path, real, info):
		return nil
	case isLink(info):
		report.Unlinked = append(report.Unlinked, path)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is neither a file nor a link; remove it", path)
	default:
		report.MovedAside = append(report.MovedAside, path)
	}
	if h.Mode == Linked {
		report.Linked = append(report.Linked, path)
	}
	return nil
}

// checkSeed is seed for a look. A torn file is looked at once more.
func checkSeed(h Home, path string, edits []edit, report *Report) error {
	if h.Mode == Isolated {
		if err := refuseLinkToReal(h, path); err != nil {
			return err
		}
	}
	target, err := follow(path)
	if err != nil {
		return err
	}
	var changed []string
	created := false
	for range 2 {
		var doc []byte
		if doc, err = readConfig(target); err != nil {
			return err
		}
		if created = doc == nil; created {
			doc = []byte("{}\n")
		}
		if _, changed, err = applyEdits(doc, edits); err == nil {
			break
		}
		time.Sleep(tornWait)
	}
	if err != nil {
		return fmt.Errorf("%s: %w; mend the file, or move it away and let the agent make a new one", path, err)
	}
	if created {
		report.Created = append(report.Created, path)
	}
	for _, key := range changed {
		report.Seeded = append(report.Seeded, path+": "+key)
	}
	return nil
}
