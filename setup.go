package tuiturn

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tuiturn/tuiturn/internal/agent"
	"github.com/tuiturn/tuiturn/internal/drive"
)

// A setup is the part of a Request that is fixed when an agent starts: all but the
// prompt and the callbacks. Agents of one Runner with the same setup are
// interchangeable.
type setup struct {
	Request
	workdir string // without symbolic links: the agent names its transcript's folder after it
	stream  bool   // the agent reports what it shows
	resume  string // the log of the session to resume; empty: a new session
}

// newSetup returns the setup for a request.
func newSetup(req Request) (setup, error) {
	s := setup{Request: req, stream: req.OnDelta != nil}
	s.Prompt, s.AllowCommands, s.OnDelta, s.OnPermission, s.Trace = "", false, nil, nil, nil
	s.Env, s.Tools = slices.Clone(s.Env), slices.Clone(s.Tools) // a pool uses them after the caller's turn
	workdir := req.WorkDir
	if workdir == "" {
		workdir = "."
	}
	workdir, err := filepath.Abs(workdir)
	if err == nil {
		s.workdir, err = filepath.EvalSymlinks(workdir)
	}
	if err != nil {
		return s, fmt.Errorf("%w: name a directory that exists in Request.WorkDir", err)
	}
	s.WorkDir = s.workdir
	return s, s.check()
}

// check returns an error for a request that no agent supports.
func (s *setup) check() error {
	if s.NoTools && len(s.Tools) > 0 {
		return errors.New("Request.NoTools and Request.Tools are both set: set one of them")
	}
	for _, name := range s.Tools {
		if !toolName.MatchString(name) {
			return fmt.Errorf("Request.Tools: %q is not a tool name", name)
		}
	}
	if s.MCPConfig != "" {
		if s.NoTools {
			return errors.New("Request.NoTools and Request.MCPConfig are both set: set one of them")
		}
		if _, err := parseMCP(s.MCPConfig); err != nil {
			return err
		}
	}
	if strings.Contains(s.SystemPrompt, "\x00") || !utf8.ValidString(s.SystemPrompt) {
		return errors.New("Request.SystemPrompt is not text in UTF-8")
	}
	return nil
}

var toolName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// config returns the configuration that an agent of this setup is started with.
func (s *setup) config(host *drive.Host, a agent.Agent, place *place, kind TerminalKind, session string) drive.Config {
	return drive.Config{
		Agent: a, Host: host, Place: &place.Place, Terminal: string(kind),
		Start: agent.Start{
			Session: session, Resume: s.resume != "",
			Model: s.Model, Effort: s.Effort, SystemPrompt: s.SystemPrompt, MCPConfig: s.MCPConfig,
			Tools: s.Tools, NoTools: s.NoTools, AllowProject: s.AllowProject, AllowMentions: s.AllowMentions,
			Stream: s.stream,
		},
		Workdir: s.workdir, Env: s.Env, Resumed: s.resume,
	}
}

// A setupKey identifies a setup as a map key.
type setupKey struct {
	workdir, model, env, tools, mcp, system, effort string
	noTools, namesTools                             bool
	allowProject, allowMentions, stream             bool
}

func (s *setup) key() setupKey {
	return setupKey{
		workdir: s.workdir, model: s.Model, env: strings.Join(s.Env, "\x00"),
		tools: strings.Join(s.Tools, ","), mcp: s.MCPConfig, system: s.SystemPrompt, effort: s.Effort,
		noTools: s.NoTools, namesTools: s.Tools != nil,
		allowProject: s.AllowProject, allowMentions: s.AllowMentions, stream: s.stream,
	}
}
