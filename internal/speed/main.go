// Command speed compares the time of a turn with the agent's own time. The agents talk
// to a stand-in for the model's service, which answers at once. With -service it measures
// a service that takes some time, too, and subtracts that time: then less of what the
// agent and the Runner do is done one after the other. Each round measures every way
// once, so that changes in the machine's load affect all ways alike:
//
//	print   claude -p, from its start to its end
//	floor   the interactive agent with its prompt as an argument, from its start to
//	        the final line of its transcript
//	cold    Runner.Turn, from the call to its return
//	warm    Runner.Turn with a ready agent
//	next    the second turn of a conversation
//	row     Runner.Turn, one after the other, with a pool of two; those that found a
//	        ready agent are told apart
//	own     the part of warm that is not between the time stamps of the prompt and
//	        the answer in the agent's transcript
//
// The parts of cold and warm are:
//
//	ready    until the agent takes a prompt
//	deliver  until the prompt is in its input line
//	submit   until the agent has recorded the prompt
//	answer   until the answer is recorded
//	end      until the agent and its files are gone
//
// Command speed prints the median, the 10th and the 90th percentile, and the ratios to
// print and floor. It fails on errors only, never because of a number.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/internal/ptyterm"
	"github.com/tuiturn/tuiturn/internal/standin"
	"github.com/tuiturn/tuiturn/internal/terminal"
	"github.com/tuiturn/tuiturn/internal/uuid"
	"github.com/tuiturn/tuiturn/transcript"
	"github.com/tuiturn/tuiturn/tuiauth"
)

const (
	token  = "sk-ant-oat01-dummy-of-the-measurement"
	answer = "It is 42."
)

func main() {
	agents := flag.String("agents", os.Getenv("TUITURN_AGENTS"), "directory with an npm `DIR` for each version, as for the conformance suite")
	versions := flag.String("versions", "2.1.104,2.1.158,2.1.332", "`LIST` of versions")
	n := flag.Int("n", 15, "`ROUNDS`")
	kind := flag.String("terminal", "tmux", "tmux or pty")
	service := flag.Duration("service", 0, "also measure a service that takes this `TIME` to answer")
	row := flag.Int("row", 0, "also measure so many `TURNS` in a row")
	flag.Parse()
	if *agents == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "version\tservice\tway\tmedian ms\tp10\tp90\tof print\tof floor\t")
	services := []time.Duration{0}
	if *service > 0 {
		services = append(services, *service)
	}
	for _, version := range strings.Split(*versions, ",") {
		for _, service := range services {
			m := &measurement{
				agent:   filepath.Join(*agents, version, "node_modules", ".bin", "claude"),
				kind:    tuiturn.TerminalKind(*kind),
				service: service,
				row:     *row,
				times:   make(map[string][]time.Duration),
			}
			if err := m.run(*n); err != nil {
				fmt.Fprintf(os.Stderr, "speed: %s: %v\n", version, err)
				os.Exit(1)
			}
			m.print(w, version)
		}
	}
	w.Flush()
}

// ways lists the ways in the order in which they are printed.
var ways = slices.Concat([]string{"print", "floor", "cold"}, parts("cold"), []string{"warm"}, parts("warm"), []string{"next", "own", "row", "row warm"})

// parts returns the names of the parts of a way.
func parts(way string) []string {
	return []string{way + " ready", way + " deliver", way + " submit", way + " answer", way + " end"}
}

// A measurement measures one version.
type measurement struct {
	agent   string
	kind    tuiturn.TerminalKind
	service time.Duration // that the service takes; subtracted from times
	row     int           // turns
	dir     string
	env     []string // variables that name the service
	home    tuiauth.Home
	cold    *tuiturn.Runner
	warm    *tuiturn.Runner // with a pool
	times   map[string][]time.Duration
}

func (m *measurement) run(n int) (err error) {
	if m.dir, err = os.MkdirTemp("", "sp-"); err != nil {
		return err
	}
	defer os.RemoveAll(m.dir)
	api := standin.Start(func(r standin.Request) standin.Reply {
		if r.IsTitle() {
			return standin.TitleReply
		}
		return standin.Reply{Text: answer, Delay: m.service}
	})
	defer api.Close()
	m.env = []string{"ANTHROPIC_BASE_URL=" + api.URL}
	for _, dir := range []string{"tmp", "work"} {
		if err := os.Mkdir(filepath.Join(m.dir, dir), 0o700); err != nil {
			return err
		}
	}
	m.home, err = tuiauth.ResolveHome(tuiauth.HomeConfig{
		RealHome: filepath.Join(m.dir, "real"), Configured: filepath.Join(m.dir, "home"), EnvToken: true,
	})
	if err != nil {
		return err
	}
	m.cold, m.warm = m.newRunner(tuiturn.Pool{}), m.newRunner(tuiturn.Pool{Size: 1})
	defer func() { err = errors.Join(err, m.cold.Close(), m.warm.Close()) }()
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(n+1+m.row)*time.Minute)
	defer cancel()
	for i := range n + 1 {
		for way, measure := range map[string]func(context.Context) (time.Duration, error){
			"print": m.printMode, "floor": m.interactive, "cold": m.coldTurn, "warm": m.warmTurn, "next": m.nextTurn,
		} {
			d, err := measure(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", way, err)
			}
			if i > 0 { // the first round fills caches
				m.times[way] = append(m.times[way], d-m.service)
			}
		}
	}
	return m.turnsInARow(ctx)
}

// turnsInARow measures the steady state of a pool: each turn begins when the one before
// has ended, and there is hardly time to start an agent.
func (m *measurement) turnsInARow(ctx context.Context) (err error) {
	if m.row == 0 {
		return nil
	}
	r := m.newRunner(tuiturn.Pool{Size: 2})
	defer func() { err = errors.Join(err, r.Close()) }()
	if err := r.Warm(ctx, m.request()); err != nil {
		return err
	}
	for range m.row {
		res, err := m.turn(ctx, r, "row")
		if err != nil {
			return err
		}
		m.times["row"] = append(m.times["row"], res.Timings.Total-m.service)
		if res.Warm {
			m.times["row warm"] = append(m.times["row warm"], res.Timings.Total-m.service)
		}
	}
	fmt.Fprintf(os.Stderr, "%v service: %d of %d turns in a row found a ready agent\n", m.service, len(m.times["row warm"]), m.row)
	return nil
}

func (m *measurement) newRunner(pool tuiturn.Pool) *tuiturn.Runner {
	return &tuiturn.Runner{
		Agent: tuiturn.Claude{Path: m.agent}, Home: m.home, Token: token,
		Environ: path(), Terminal: m.kind, Pool: pool,
		TempDir: filepath.Join(m.dir, "tmp"), SweepEvery: -1,
	}
}

func path() []string { return []string{"PATH=" + os.Getenv("PATH")} }

func (m *measurement) request() tuiturn.Request {
	return tuiturn.Request{Prompt: "What is the answer?", WorkDir: filepath.Join(m.dir, "work"), Env: m.env, NoTools: true}
}

func (m *measurement) environ() []string {
	return append(tuiauth.Environ(path(), m.home, token), append(m.env, "TMPDIR="+filepath.Join(m.dir, "tmp"))...)
}

// printMode measures the agent's own way to answer one prompt.
func (m *measurement) printMode(ctx context.Context) (time.Duration, error) {
	if _, err := tuiauth.PrepareHome(m.home, filepath.Join(m.dir, "work")); err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, m.agent, "-p", m.request().Prompt, "--tools", "")
	cmd.Dir, cmd.Env = filepath.Join(m.dir, "work"), m.environ()
	began := time.Now()
	out, err := cmd.Output()
	if err == nil && strings.TrimSpace(string(out)) != answer {
		err = fmt.Errorf("it printed %q", out)
	}
	return time.Since(began), err
}

// interactive measures the least time that a turn with a terminal takes.
func (m *measurement) interactive(ctx context.Context) (_ time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	work := filepath.Join(m.dir, "work")
	if _, err := tuiauth.PrepareHome(m.home, work); err != nil {
		return 0, err
	}
	session := uuid.New()
	began := time.Now()
	term, err := ptyterm.Start(ctx, terminal.Config{
		Name: "floor-" + session, Path: m.agent, Env: m.environ(), Dir: work,
		Args: []string{"--session-id", session, "--tools", "", "--", m.request().Prompt},
	})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, term.Close(ctx)) }()
	turn := transcript.Turn{SessionID: session}
	for ev, err := range transcript.Follow(ctx, transcript.Path(m.home.Dir, work, session)) {
		if err != nil {
			return 0, err
		}
		if turn.Add(ev); turn.State() >= transcript.Final {
			break
		}
	}
	if text := turn.Outcome().Text; text != answer {
		return 0, fmt.Errorf("the answer is %q", text)
	}
	return time.Since(began), nil
}

func (m *measurement) coldTurn(ctx context.Context) (time.Duration, error) {
	res, err := m.turn(ctx, m.cold, "cold")
	if err == nil && res.Warm {
		err = errors.New("the turn took a ready agent")
	}
	return res.Timings.Total, err
}

func (m *measurement) warmTurn(ctx context.Context) (time.Duration, error) {
	if err := m.warm.Warm(ctx, m.request()); err != nil {
		return 0, err
	}
	res, err := m.turn(ctx, m.warm, "warm")
	if err == nil && !res.Warm {
		err = errors.New("the turn found no ready agent")
	}
	if err == nil {
		var agents time.Duration
		agents, err = m.agentsTime(res.SessionID)
		m.times["own"] = append(m.times["own"], res.Timings.Total-agents)
	}
	// A new agent starts meanwhile. Wait for it, or the next measurement includes its
	// start.
	return res.Timings.Total, errors.Join(err, m.warm.Warm(ctx, m.request()))
}

func (m *measurement) nextTurn(ctx context.Context) (_ time.Duration, err error) {
	talk, err := m.cold.Open(ctx, m.request())
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, talk.Close()) }()
	var total time.Duration
	for range 2 {
		res, err := talk.Turn(ctx, tuiturn.TurnRequest{Prompt: m.request().Prompt})
		if err == nil && res.Text != answer {
			err = fmt.Errorf("the answer is %q", res.Text)
		}
		if err != nil {
			return 0, err
		}
		total = res.Timings.Total
	}
	return total, nil
}

// agentsTime returns the agent's own time, from the prompt's time stamp to the
// answer's. The agent does not always record its turn_duration.
func (m *measurement) agentsTime(session string) (time.Duration, error) {
	b, err := os.ReadFile(transcript.Path(m.home.Dir, filepath.Join(m.dir, "work"), session))
	if err != nil {
		return 0, err
	}
	var prompt, answer time.Time
	for line := range bytes.Lines(b) {
		switch ev := transcript.Decode(line); ev.Body.(type) {
		case *transcript.User:
			prompt = ev.Timestamp
		case *transcript.Assistant:
			answer = ev.Timestamp
		}
	}
	return answer.Sub(prompt), nil
}

func (m *measurement) turn(ctx context.Context, r *tuiturn.Runner, way string) (*tuiturn.Result, error) {
	req := m.request()
	began := time.Now()
	var ready time.Duration
	req.Trace = &tuiturn.Trace{Ready: func() { ready = time.Since(began) }}
	res, err := r.Turn(ctx, req)
	if err == nil && res.Text != answer {
		err = fmt.Errorf("the answer is %q", res.Text)
	}
	t := res.Timings
	for i, d := range []time.Duration{ready, t.Queue + t.Boot - ready, t.Submit, t.Answer - m.service, t.Teardown} {
		part := parts(way)[i]
		m.times[part] = append(m.times[part], d)
	}
	return res, err
}

func (m *measurement) print(w *tabwriter.Writer, version string) {
	for _, way := range ways {
		d := m.times[way]
		if len(d) == 0 {
			continue
		}
		slices.Sort(d)
		at := func(p int) time.Duration { return d[(len(d)-1)*p/100] }
		ratio := func(to string) string {
			if len(m.times[to]) == 0 {
				return "-"
			}
			other := slices.Clone(m.times[to])
			slices.Sort(other)
			return fmt.Sprintf("%.2f", float64(at(50))/float64(other[(len(other)-1)/2]))
		}
		fmt.Fprintf(w, "%s\t%v\t%s\t%d\t%d\t%d\t%s\t%s\t\n", version, m.service, way,
			at(50).Milliseconds(), at(10).Milliseconds(), at(90).Milliseconds(), ratio("print"), ratio("floor"))
	}
}
