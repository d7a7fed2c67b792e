// Command proxy answers programs that speak OpenAI's or Anthropic's API with
// turns of an interactive terminal agent.
//
//	proxy [flags]
//
// It is for one operator's own use: for your own programs, on your own account. It
// is not a way to share an account.
//
//	POST /v1/chat/completions   OpenAI's shape, whole or streamed
//	POST /v1/messages           Anthropic's shape, whole or streamed
//	GET  /v1/models             what may be asked for by name, in both shapes
//	GET  /healthz               200, or 503 while it shuts down
//	GET  /metrics               for Prometheus
//
// The agent logs in with the long-lived token in CLAUDE_CODE_OAUTH_TOKEN (claude
// setup-token makes one) and then runs in a home without any other login; without
// a token it runs in your own home.
//
// The agent keeps its sessions, prompts and answers included, in its home; -keep
// removes them when they are old.
//
// # What a request may have
//
// Text. Messages of the system, the user and the assistant become one prompt, of
// which nothing is lost; see render. What the agent cannot do (tools, images, n,
// stop words, JSON formats) is refused with status 400. What only tunes an answer
// (temperature, max_tokens, seed) is ignored. A model is asked for if its name is
// one of claude's, else the answer comes from that of -model.
//
// The model is offered no tool, so that a request can reach nothing but the
// conversation; -tools changes that. What the agent then says before it uses one
// is in a streamed answer only: a content block of its own in Anthropic's shape,
// and before an empty line in OpenAI's.
//
// # Who may make requests
//
// It listens on a loopback address only, and then takes requests from every
// program of this machine, but from no web page: not with an Origin, and not by
// another Host. With a key, in TUITURN_PROXY_KEY or in a file, only who has it may
// make requests, and then it may listen elsewhere with -listen. It speaks no TLS:
// put it behind something that does before the key leaves the machine.
//
// # Errors
//
// They have the shape of the API and its status: 400 a request that cannot be
// answered, 401 a wrong key or an agent's login that is not accepted, 413 a body
// over -max-body, 429 with Retry-After a full queue, 504 a turn over -timeout,
// 503 a proxy that shuts down, and the service's own, such as 529. A streamed answer
// begins with its first text, and a failure before that has a status, too; one
// after it is an event.
//
// A client that goes away ends its turn. SIGTERM lets the turns under way come to
// their end for -grace; the second one does not.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/tuiturn/tuiturn"
)

func main() {
	beDemoAgent()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	home, _ := os.UserHomeDir()
	p := proxy{home: home, environ: os.Environ(), stderr: os.Stderr, signals: signals}
	os.Exit(p.run(os.Args[1:]))
}

// A proxy is one run of the command.
type proxy struct {
	home    string // the operator's; empty if it is not known
	environ []string
	stderr  io.Writer
	signals <-chan os.Signal

	listening func(net.Addr, *server) // nil, but in a test
}

const (
	statusFailed = 1
	statusUsage  = 2
)

// keyVar is the variable that the key is in.
const keyVar = "TUITURN_PROXY_KEY"

func (p *proxy) run(args []string) (status int) {
	o, err := p.parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(p.stderr, "proxy:", err)
		return statusUsage
	}
	if err := p.serve(o); err != nil {
		fmt.Fprintln(p.stderr, "proxy:", err)
		return statusFailed
	}
	return 0
}

// serve answers requests until it is told to end.
func (p *proxy) serve(o options) error {
	key, err := readKey(lookup(p.environ, keyVar), o.keyFile)
	if err != nil {
		return err
	}
	addr, err := listenAddr(o.listen, key)
	if err != nil {
		return err
	}
	listener, err := net.ListenTCP("tcp", addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	log := slog.New(slog.NewTextHandler(p.stderr, nil))
	r, err := p.newRunner(o, log)
	if err != nil {
		return err
	}
	defer r.clean()
	s := &server{
		runner: &r.Runner, request: r.request, timeout: o.timeout, maxBody: o.maxBody,
		writeTimeout: o.writeTimeout, guard: newGuard(key), metrics: newMetrics(&r.Runner), log: log,
	}
	web := &http.Server{
		Handler: s.handler(), ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		ReadTimeout: o.readTimeout, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
		ReadHeaderTimeout: min(o.readTimeout, 10*time.Second),
		// No WriteTimeout, which would end a long answer: each piece has its own.
	}
	ended := make(chan error, 1)
	go func() { ended <- web.Serve(listener) }()
	log.Info("listening", "address", listener.Addr().String(), "key", key != "")
	if p.listening != nil {
		p.listening(listener.Addr(), s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var background sync.WaitGroup
	defer background.Wait()
	defer cancel()
	if o.warm > 0 {
		background.Go(func() { r.warm(ctx, log) })
	}
	if o.keep > 0 {
		background.Go(func() { r.prune(ctx, o.keep, log) })
	}

	select {
	case sig := <-p.signals:
		log.Info("ending", "signal", sig.String(), "grace", o.grace)
	case err = <-ended:
	}
	s.closing.Store(true)
	return errors.Join(err, p.shutDown(web, &r.Runner, o.grace))
}

// lastWords is how long clients may take to read that their turns were ended.
const lastWords = 5 * time.Second

// shutDown takes no more requests and waits for those under way, until grace is
// over or a second signal comes; then it ends them.
func (p *proxy) shutDown(web *http.Server, runner *tuiturn.Runner, grace time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	go func() {
		select {
		case <-p.signals:
			cancel()
		case <-ctx.Done():
		}
	}()
	late := web.Shutdown(ctx)
	err := runner.Close()
	if late != nil {
		ctx, cancel := context.WithTimeout(context.Background(), lastWords)
		defer cancel()
		if web.Shutdown(ctx) != nil {
			web.Close()
		}
	}
	return err
}
