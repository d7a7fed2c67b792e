// Command proxy serves OpenAI's and Anthropic's API and answers with turns of an
// interactive terminal agent.
//
//	proxy [flags]
//
// It is for one operator's own use: for your own programs, on your own account. It
// is not a way to share an account.
//
//	POST /v1/chat/completions   OpenAI's API, whole or streamed
//	POST /v1/messages           Anthropic's API, whole or streamed
//	GET  /v1/models             the model names that a request can use, for both APIs
//	GET  /healthz               200, or 503 during shutdown
//	GET  /metrics               for Prometheus
//
// Set CLAUDE_CODE_OAUTH_TOKEN to a long-lived token (claude setup-token makes one).
// The agent then logs in with the token and runs in a home without any other login.
// Without a token the agent runs in your own home.
//
// The agent keeps its sessions, prompts and answers included, in its home. -keep
// removes old sessions.
//
// # What a request may contain
//
// Text. The messages of the system, the user and the assistant become one prompt
// without loss. A request for something that the agent cannot do (tools, images, n,
// stop words, JSON formats) gets status 400. Fields that only tune an answer
// (temperature, max_tokens, seed) are ignored. If the request names a model of
// claude's, that model answers, else the model of -model.
//
// The model is offered no tool, so a request can reach nothing but the conversation.
// -tools changes that. What the agent says before it uses a tool appears in streamed
// answers only: as a content block of its own in Anthropic's API, and followed by an
// empty line in OpenAI's.
//
// # Who may make requests
//
// Without a key the proxy listens on a loopback address only. It takes requests from
// every program of this machine, but not from web pages: it refuses a request with an
// Origin or with another Host. With a key, in TUITURN_PROXY_KEY or in a file, only
// clients with the key may make requests, and -listen may name another address. The
// proxy does not speak TLS. Put it behind a TLS proxy before the key leaves the
// machine.
//
// # Errors
//
// An error has the form and the status of the API: 400 for a request that cannot be
// answered, 401 for a wrong key or if the agent's login is not accepted, 413 for a body
// over -max-body, 429 with Retry-After if the queue is full, 503 during shutdown, 504
// for a turn over -timeout, and the service's own status, such as 529. The status of a
// streamed answer is sent with its first text: an earlier failure has a status of its
// own, a later one is an event.
//
// When a client disconnects, its turn ends. On SIGTERM the running turns may finish
// within -grace; a second SIGTERM ends them at once.
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

// serve answers requests until a signal arrives.
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

// lastWords is how long clients may take to read the error of a turn that shutdown
// ended.
const lastWords = 5 * time.Second

// shutDown takes no more requests and waits for the running ones. When grace is over
// or a second signal arrives, it ends them.
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
