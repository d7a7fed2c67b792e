package fakeagent

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/tuiturn/tuiturn/internal/uuid"
)

// A Prompt is an agent's record of a prompt. Its fields are named as in tuiturn.Request.
type Prompt struct {
	Prompt, SystemPrompt, Model, WorkDir string
}

// record writes a prompt down and returns its number, counted from zero among
// all agents of the script.
func (a *agent) record(text string) (n int, err error) {
	if a.script.Prompts == "" {
		return a.turns, nil
	}
	p := a.got
	p.Prompt, p.WorkDir = text, a.dir
	b, err := json.Marshal(p)
	if err != nil {
		return 0, err
	}
	whole := filepath.Join(a.script.Prompts, "new-"+uuid.New())
	if err := os.WriteFile(whole, b, 0o600); err != nil {
		return 0, err
	}
	defer os.Remove(whole)
	// A link fails if the name exists. So only one agent gets the number, and nobody
	// reads half a file.
	for n = a.turns; ; n++ {
		err = os.Link(whole, promptFile(a.script.Prompts, n))
		if !errors.Is(err, fs.ErrExist) {
			return n, err
		}
	}
}

// ReadPrompts reads what has been recorded in Script.Prompts, in order.
func ReadPrompts(dir string) (prompts []Prompt, err error) {
	for {
		b, err := os.ReadFile(promptFile(dir, len(prompts)))
		if errors.Is(err, fs.ErrNotExist) {
			return prompts, nil
		}
		var p Prompt
		if err == nil {
			err = json.Unmarshal(b, &p)
		}
		if err != nil {
			return prompts, err
		}
		prompts = append(prompts, p)
	}
}

func promptFile(dir string, n int) string { return filepath.Join(dir, strconv.Itoa(n)) }
