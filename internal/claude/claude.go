// Package claude holds what is known of Anthropic's claude CLI, except its transcript
// and its home: see packages transcript and tuiauth.
package claude

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tuiturn/tuiturn/internal/agent"
	"github.com/tuiturn/tuiturn/internal/hook"
	"github.com/tuiturn/tuiturn/internal/version"
	"github.com/tuiturn/tuiturn/transcript"
)

// Claude is the claude CLI.
type Claude struct {
	// Program is the CLI's path or name; empty means "claude".
	Program string
}

var _ agent.Agent = Claude{}

var format = transcript.Claude()

// Traits returns the traits of claude. The keys are those of 2.1.104 to 2.1.332.
// Escape, pressed twice at an empty input line, opens a menu.
func (c Claude) Traits() agent.Traits {
	return agent.Traits{
		Name:    "claude",
		Tested:  []string{"2.1.104", "2.1.158", "2.1.332"},
		Command: "/",
		Keys:    agent.Keys{Editor: "C-g", Clear: "C-u", Submit: "Enter", Stop: "Escape"},

		AskingTools: []string{"AskUserQuestion", "ExitPlanMode"},
		NotTaken:    "perhaps a UserPromptSubmit hook of the home's blocked it, which claude before 2.1.294 does not record",

		Log: format,

		StopsLast: "2.1.332",

		TokenVar: "CLAUDE_CODE_OAUTH_TOKEN",
		HomeVars: []string{"CLAUDE_CONFIG_DIR"},
		Harmful:  []string{skipHistory, screenReader},
	}
}

// Path finds the program. If the program is a script, Path checks its interpreter too.
func (c Claude) Path(searchPath string) (string, error) {
	name := c.Program
	if name == "" {
		name = "claude"
	}
	if strings.Contains(name, "/") {
		path, err := filepath.Abs(name)
		if err == nil {
			path, err = exec.LookPath(path)
		}
		if err != nil {
			return "", fmt.Errorf("the agent cannot be run: %w: name the claude program in Claude.Path", err)
		}
		return path, checkInterpreter(path)
	}
	for _, dir := range filepath.SplitList(searchPath) {
		// With a relative entry, the working directory would decide which program runs.
		if !filepath.IsAbs(dir) {
			continue
		}
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, checkInterpreter(path)
		}
	}
	return "", fmt.Errorf("the agent %q is not in PATH: %w: install it (npm install -g @anthropic-ai/claude-code) or name the program in Claude.Path", name, os.ErrNotExist)
}

// checkInterpreter reports a missing interpreter of a script. exec would report the
// script itself as missing. (2.1.104 is a script.)
func checkInterpreter(path string) error {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil // exec reports it; opening a FIFO would block
	}
	file, err := os.Open(path)
	if err != nil {
		return nil // a program can be executable but not readable
	}
	defer file.Close()
	head := make([]byte, 256) // as much as Linux considers
	n, _ := file.Read(head)
	line, _, _ := strings.Cut(string(head[:n]), "\n")
	words, script := strings.CutPrefix(line, "#!")
	if fields := strings.Fields(words); script && len(fields) > 0 {
		if _, err := os.Stat(fields[0]); err != nil {
			return fmt.Errorf("the agent %s cannot be run: its interpreter: %w: install the interpreter", path, err)
		}
	}
	return nil
}

// byOldName lists tools that 2.1.104 runs by an old name although it does not offer
// them.
var byOldName = []string{"Brief", "SendUserMessage", "KillShell", "KillBash", "TaskStop", "AgentOutputTool", "BashOutputTool", "BashOutput", "TaskOutput"}

// SoleStop tells whether ours is the only Stop hook that the session can have.
func (c Claude) SoleStop(s *agent.Start) bool { return soleStop(s) }

// Launch returns arguments, environment and files of a session. Secrets stand in files,
// and the arguments only name the files.
func (c Claude) Launch(s *agent.Start) (agent.Launch, error) {
	if err := checkEffort(s); err != nil {
		return agent.Launch{}, err
	}
	if err := checkKeys(s); err != nil {
		return agent.Launch{}, err
	}
	var l agent.Launch
	file := func(name, content string) (path string) {
		path = filepath.Join(s.Dir, name)
		l.Files = append(l.Files, agent.File{Path: path, Content: content})
		return path
	}
	session := "--session-id"
	if s.Resume {
		session = "--resume" // same id, same file, earlier lines not repeated (2.1.104 to 2.1.330)
	}
	l.Args = []string{
		session, s.Session,
		"--settings", file("settings.json", settings(s)),
		// No servers other than those of --mcp-config.
		"--strict-mcp-config",
		// 2.1.330 starts in a mode that runs tools without asking.
		"--permission-mode", "default",
	}
	if !s.AllowProject {
		// No settings, hooks, skills and CLAUDE.md from the working directory, from its
		// git repository, or from the directories above.
		l.Args = append(l.Args, "--setting-sources", "user")
	}
	if s.Model != "" {
		l.Args = append(l.Args, "--model", s.Model)
	}
	if s.Effort != "" {
		l.Args = append(l.Args, "--effort", s.Effort)
	}
	if s.SystemPrompt != "" {
		l.Args = append(l.Args, "--append-system-prompt-file", file("system-prompt", s.SystemPrompt))
	}
	if s.MCPConfig != "" {
		l.Args = append(l.Args, "--mcp-config", file("mcp.json", s.MCPConfig))
	}
	if s.NoTools || s.Tools != nil {
		hidden := slices.DeleteFunc(slices.Clone(byOldName), func(name string) bool { return slices.Contains(s.Tools, name) })
		l.Args = append(l.Args, "--tools", strings.Join(s.Tools, ","), "--disallowedTools", strings.Join(hidden, ","))
	}
	l.Env = environ(s)
	return l, nil
}

// efforts maps the levels of Request.Effort to the first version that has each. An
// agent exits if it gets a level that it does not have.
var efforts = map[string]string{"low": "", "medium": "", "high": "", "max": "", "xhigh": "2.1.111"}

func checkEffort(s *agent.Start) error {
	since, known := efforts[s.Effort]
	switch {
	case s.Effort != "" && !known:
		return fmt.Errorf("Request.Effort %q: give low, medium, high, xhigh or max", s.Effort)
	case since == "":
		return nil
	}
	if v := s.Version(); !version.AtLeast(v, since) {
		return fmt.Errorf("Request.Effort %q needs claude %s or newer, and this one is %q: %w", s.Effort, since, v, errors.ErrUnsupported)
	}
	return nil
}

// Version asks the program for its version, and caches the answer for each file: see
// version.Of.
func (c Claude) Version(ctx context.Context, path string, env []string) (string, error) {
	return version.Of(ctx, path, env)
}

// showsMessages is the first version with a MessageDisplay hook. An older version
// (2.1.104) takes no input at all if its settings name a hook that it does not know.
const showsMessages = "2.1.152"

// settings returns the settings file. enableAllProjectMcpServers keeps 2.1.104 and
// 2.1.158 from asking about the servers that a .mcp.json in the working directory
// names; the answer would be stored there. With --strict-mcp-config these servers are
// not started. The file repeats the variables without which a turn fails, because the
// settings of the home override the environment, and on 2.1.104 and 2.1.158 those of a
// project, too. An editor named there opened instead of ours (2.1.332).
func settings(s *agent.Start) string {
	hooks := []string{"Stop"}
	if s.Stream && version.AtLeast(s.Version(), showsMessages) {
		hooks = append(hooks, "MessageDisplay")
	}
	settings := map[string]any{
		"enableAllProjectMcpServers": true,
		// A screen that does not change is a sign that the agent waits for a prompt. So
		// the clock of a working agent must move.
		"prefersReducedMotion": false,
		// A screen for a screen reader has no input line.
		"axScreenReader": false,
		"hooks":          hook.Settings("PermissionRequest", hooks...),
	}
	env := make(map[string]string)
	for _, kv := range slices.Concat(needs(s), s.Reach) {
		name, value, _ := strings.Cut(kv, "=")
		env[name] = value
	}
	for _, kv := range s.Env {
		name, value, _ := strings.Cut(kv, "=")
		if _, ours := env[name]; ours && !slices.Contains(fixed, name) {
			env[name] = value
		}
	}
	settings["env"] = env
	b, err := json.Marshal(settings)
	if err != nil {
		panic("tuiturn: " + err.Error()) // cannot happen: JSON can encode all values in it
	}
	return string(b)
}

// fixed are the variables that a caller's do not replace in the settings, which count more
// than the environment: they close what would instruct the agent.
var fixed = []string{"CLAUDE_CODE_DISABLE_CRON", "CLAUDE_CODE_DISABLE_ATTACHMENTS", "CLAUDE_CODE_DISABLE_WORKFLOWS"}

const (
	// Without a transcript nobody knows the answer.
	skipHistory = "CLAUDE_CODE_SKIP_PROMPT_HISTORY"

	// A screen for a screen reader has no input line.
	screenReader = "CLAUDE_AX_SCREEN_READER"
)

// needs returns the variables without which a turn may fail, whatever a home's settings
// say.
func needs(s *agent.Start) []string {
	env := []string{
		"TMPDIR=" + s.Tmp,
		"CLAUDE_CODE_TMPDIR=" + s.Tmp, // 2.1.104 on macOS uses /tmp without it

		skipHistory + "=",
		screenReader + "=",

		// The input line offers a grey text as the next prompt. A surplus Enter would
		// send that text.
		"CLAUDE_CODE_ENABLE_PROMPT_SUGGESTION=false",

		// Each of them may show a dialog.
		"CLAUDE_CODE_DISABLE_AGENT_VIEW=1",
		"CLAUDE_CODE_DISABLE_FEEDBACK_SURVEY=1",

		// A background task would end with the turn.
		"CLAUDE_CODE_DISABLE_BACKGROUND_TASKS=1",

		// .claude/scheduled_tasks.json in the working directory holds prompts that the
		// agent sends when they are due. A model may write prompts there without asking
		// (2.1.104 to 2.1.332).
		"CLAUDE_CODE_DISABLE_CRON=1",
	}
	if !s.AllowMentions {
		env = append(env,
			// Makes "@file", "@agent", "@server:…" and words such as "ultrathink" mere
			// text, without changing them (2.1.104 to 2.1.330).
			"CLAUDE_CODE_DISABLE_ATTACHMENTS=1",
			"CLAUDE_CODE_DISABLE_WORKFLOWS=1",
		)
	}
	return env
}

// environ returns the agent's variables. Settings of the home may replace those that needs
// does not return.
func environ(s *agent.Start) []string {
	env := append(needs(s),
		// The agent retries a failed request after 0.5, 1, 2, 4, … s, ten times by
		// default. The caller would get the error only after minutes. Four retries take
		// about 9 s.
		"CLAUDE_CODE_MAX_RETRIES=4",

		// Nobody sees these features, and each costs a request or a process.
		"CLAUDE_CODE_DISABLE_TERMINAL_TITLE=1",
		"CLAUDE_CODE_IDE_SKIP_AUTO_INSTALL=1",
		"DISABLE_TELEMETRY=1",
		"DISABLE_ERROR_REPORTING=1",
	)
	if !s.AllowProject {
		env = append(env, withoutRepository(s.NoTools)...)
	}
	return env
}

// withoutRepository returns variables that keep the working directory's git repository
// from instructing the agent. The agent runs git at every start. It sends the
// repository's branch, commits and user name to the model (2.1.104 to 2.1.332). The
// repository's configuration names programs, and git ran some of them: on 2.1.104 and
// 2.1.158 those of core.fsmonitor, filter.*.clean, gpg.program and, to fetch what a
// partial clone lacks, core.sshCommand; on 2.1.294 that of filter.*.clean.
func withoutRepository(noTools bool) []string {
	env := []string{
		// No "git status", no "git log" and no advice about commits for the model.
		"CLAUDE_CODE_DISABLE_GIT_INSTRUCTIONS=1",
	}
	if noTools {
		return append(env, "GIT_DIR=/dev/null") // nobody needs git
	}
	// The agent still lists files and commits, and a tool may need git.
	return append(env,
		"GIT_NO_LAZY_FETCH=1",
		"GIT_CONFIG_COUNT=2",
		"GIT_CONFIG_KEY_0=core.fsmonitor", "GIT_CONFIG_VALUE_0=false",
		"GIT_CONFIG_KEY_1=log.showSignature", "GIT_CONFIG_VALUE_1=false",
	)
}
