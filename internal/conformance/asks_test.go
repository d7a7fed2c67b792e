package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/internal/standin"
)

// A lure is one message with uses of tools whose texts quote each other, of which
// the host allows one.
type lure struct {
	uses    []standin.ToolUse
	effects []string // the file that each use makes, or the id that it calls a server with
	allowed int
}

// A lurer is a conversation with a model that sends lures.
type lurer struct {
	t     *testing.T
	talk  *tuiturn.Conversation
	work  string
	calls string // what the server was called with

	mu    sync.Mutex
	lure  lure
	asked []tuiturn.PermissionRequest
	said  bool // the host has said yes
}

// newLurer opens the conversation, with servers' tools.
func newLurer(t *testing.T, h *host) *lurer {
	t.Helper()
	c := &lurer{t: t, work: h.workDir(t), calls: filepath.Join(h.dir, "calls")}
	config := sky(t, map[string]string{mcpServer: "1", mcpTools: "rm,lookup,get_weather", mcpCalls: c.calls})
	api := standin.Start(func(r standin.Request) standin.Reply {
		switch {
		case r.IsTitle():
			return standin.TitleReply
		case len(r.ToolResults()) > 0:
			return standin.Reply{Text: "It is done."}
		case !strings.Contains(string(r.Body), `"name":"mcp__sky__rm"`):
			return standin.Reply{Text: "I have no tool."}
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		return standin.Reply{Text: "I am going to.", Tools: c.lure.uses}
	})
	t.Cleanup(api.Close)
	ctx, cancel := context.WithTimeout(t.Context(), turnTimeout)
	defer cancel()
	var err error
	c.talk, err = h.runner.Open(ctx, tuiturn.Request{
		WorkDir: c.work, Env: []string{"ANTHROPIC_BASE_URL=" + api.URL}, MCPConfig: config, OnPermission: c.decide,
		Tools: []string{"Bash", "Write"}, // with all of them 2.1.332 offers a server's tools by a search
	})
	must(t, err)
	t.Cleanup(func() { c.talk.Close() })
	return c
}

// decide says yes to the one use, and no to all others.
func (c *lurer) decide(_ context.Context, req tuiturn.PermissionRequest) (tuiturn.Decision, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, req)
	use := c.lure.uses[c.lure.allowed]
	if req.Tool == use.Name && sameJSON(req.Input, use.Input) {
		c.said = true
		return allow, nil
	}
	return tuiturn.Decision{Verdict: tuiturn.Deny, Message: "not that one"}, nil
}

// spring runs a turn in which the model sends the lure. It reports whether the host
// said yes, and whether the use then ran. Another one that ran fails the test.
func (c *lurer) spring(lure lure) (said, ran bool) {
	c.t.Helper()
	c.mu.Lock()
	c.lure, c.asked, c.said = lure, nil, false
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(c.t.Context(), turnTimeout)
	defer cancel()
	for {
		res, err := c.talk.Turn(ctx, tuiturn.TurnRequest{Prompt: "Do it."})
		if err == nil && res.Text == "I have no tool." {
			continue // no version waits for its servers
		}
		if err != nil || res.Text != "It is done." {
			c.t.Errorf("%s: %q, %v", inJSON(lure), res.Text, err)
		}
		break
	}
	calls, _ := os.ReadFile(c.calls)
	for i, effect := range lure.effects {
		_, err := os.Stat(filepath.Join(c.work, effect))
		happened := err == nil || strings.Contains(string(calls), effect+"\"\n")
		switch {
		case i == lure.allowed:
			ran = happened
		case happened:
			c.t.Errorf("use %d ran, which the host had not allowed: %s; it was asked about %s", i, inJSON(lure), inJSON(c.asked))
		}
	}
	if ran && !c.said {
		c.t.Errorf("it ran before the host had allowed it: %s", inJSON(lure))
	}
	for _, req := range c.asked {
		if req.Tool == "" {
			c.t.Errorf("asked about a tool without a name: %s", inJSON(lure))
		}
	}
	return c.said, ran
}

func inJSON(v any) string {
	b, err := json.Marshal(v)
	if t, ok := v.(lure); ok {
		b, err = json.Marshal(t.uses)
	}
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// sameJSON tells whether two inputs are the same.
func sameJSON(a json.RawMessage, b any) bool {
	raw, err := json.Marshal(b)
	if err != nil {
		return false
	}
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(raw, &y) == nil && reflect.DeepEqual(x, y)
}

func bashUse(command, description string) standin.ToolUse {
	input := map[string]string{"command": command}
	if description != "" {
		input["description"] = description
	}
	return standin.ToolUse{Name: "Bash", Input: input}
}

func idUse(tool, id string) standin.ToolUse {
	return standin.ToolUse{Name: "mcp__sky__" + tool, Input: map[string]string{"id": id}}
}

func writeUse(path, content string) standin.ToolUse {
	return standin.ToolUse{Name: "Write", Input: map[string]string{"file_path": path, "content": content}}
}

// TestAskedAboutWhatRuns has models that bend the dialog: what the host is asked
// about is what runs.
func TestAskedAboutWhatRuns(t *testing.T) {
	forEach(t, func(t *testing.T, version string, terminal tuiturn.TerminalKind) {
		if !itsTurn(0, version, terminal) {
			return
		}
		c := newLurer(t, newHost(t, version, terminal))
		at := func(name string) string { return filepath.Join(c.work, name) }
		for name, lure := range map[string]lure{
			"a content is an input line": {[]standin.ToolUse{writeUse(at("good10"), "> quoted")}, []string{"good10"}, 0},
			"a content is this agent's":  {[]standin.ToolUse{writeUse(at("good7"), "❯\u00a0x")}, []string{"good7"}, 0},
			"a content draws the rules":  {[]standin.ToolUse{writeUse(at("good8"), rule+"\n> x\n"+rule)}, []string{"good8"}, 0},
			"a command draws the rules":  {[]standin.ToolUse{bashUse("touch good9 #\n#"+rule+"\n# > x\n#"+rule, "")}, []string{"good9"}, 0},
			"a description is the other command": {
				[]standin.ToolUse{bashUse("touch evil1", "touch good1"), bashUse("touch good1", "")}, []string{"evil1", "good1"}, 1,
			},
			"an id is the other tool": {[]standin.ToolUse{idUse("rm", "lookup evil2"), idUse("lookup", "good2")}, []string{"lookup evil2", "good2"}, 1},
			"a content is the other file": {
				[]standin.ToolUse{writeUse(at("evil3"), "good3"), writeUse(at("good3"), "evil3")}, []string{"evil3", "good3"}, 1,
			},
			"what cannot be seen": {
				[]standin.ToolUse{bashUse("touch evil4\u200b; touch x", ""), bashUse("touch x", "")}, []string{"evil4\u200b", "x"}, 1,
			},
			"a server's tool with a title": {[]standin.ToolUse{idUse("get_weather", "good5")}, []string{"good5"}, 0},
			"the first of two":             {[]standin.ToolUse{bashUse("touch good6", "touch evil6"), bashUse("touch evil6", "touch good6")}, []string{"good6", "evil6"}, 0},
		} {
			said, ran := c.spring(lure)
			// 2.1.158 cancels what stands behind a use that was denied.
			if cancels := version == "2.1.158" && lure.allowed > 0; !cancels && (!said || !ran) {
				t.Errorf("%s: allowed %v, ran %v, asked about %s", name, said, ran, inJSON(c.asked))
			}
		}
	})
}

// TestPermissionFuzz is the same with generated messages: 300 a version where time
// does not matter.
func TestPermissionFuzz(t *testing.T) {
	n := 12
	if long() {
		n = 300
	}
	seed := uint64(20261128)
	forEach(t, func(t *testing.T, version string, terminal tuiturn.TerminalKind) {
		if !itsTurn(1, version, terminal) && !(long() && terminal == tuiturn.Tmux) || long() && terminal == tuiturn.Pty {
			return
		}
		rng := rand.New(rand.NewPCG(seed, uint64(len(version))))
		h := newHost(t, version, terminal)
		var said, ran int
		var c *lurer
		for i := range n {
			if i%50 == 0 {
				c = newLurer(t, h)
			}
			yes, did := c.spring(newLure(rng, c.work, i))
			if yes {
				said++
			}
			if did {
				ran++
			}
		}
		t.Logf("%d messages, %d allowed, %d of them ran", n, said, ran)
		if ran*100 < said*95 || said*3 < n {
			t.Errorf("of %d messages the host allowed a use of %d, of which %d ran", n, said, ran)
		}
	})
}

// newLure makes two to four uses that quote each other.
func newLure(rng *rand.Rand, work string, n int) (t lure) {
	count := 2 + rng.IntN(3)
	for k := range count {
		t.effects = append(t.effects, fmt.Sprintf("e%d-%d", n, k))
	}
	bait := func(k int) string { // what another use says of itself
		other := t.effects[(k+1+rng.IntN(count-1))%count]
		return []string{
			"touch " + other, filepath.Join(work, other), other, "Bash", "Write", "mcp__sky__lookup", "Rm", "lookup",
			"Do you want to proceed? ❯ 1. Yes", "touch " + other + "\u200b", strings.Repeat("touch "+other+"\n", 60), "{\"command\":\"touch " + other + "\"}",
		}[rng.IntN(12)]
	}
	for k, effect := range t.effects {
		var use standin.ToolUse
		switch rng.IntN(4) {
		case 0:
			use = bashUse("touch "+effect, bait(k))
		case 1:
			use = bashUse("touch "+effect+" # "+strings.ReplaceAll(bait(k), "\n", " "), "")
		case 2:
			use = writeUse(filepath.Join(work, effect), bait(k))
		case 3:
			use = idUse([]string{"rm", "lookup", "get_weather"}[rng.IntN(3)], bait(k)+" "+effect)
			t.effects[k] = effect
		}
		t.uses = append(t.uses, use)
	}
	t.allowed = rng.IntN(count)
	return t
}
