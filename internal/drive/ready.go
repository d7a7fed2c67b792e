package drive

import (
	"context"
	"os"
	"regexp"
	"slices"
	"time"

	"github.com/tuiturn/tuiturn/internal/agent"
)

const (
	// maxDeclined limits how many menus of its own an agent may show before its first
	// prompt.
	maxDeclined = 4

	// declineAgain is how long a declined menu may stay. 2.1.330 took over 0.4 s to act
	// on an Escape while it started on a busy machine. An agent that works, or waits
	// for a core, has declineAgainBusy.
	declineAgain     = time.Second
	declineAgainBusy = 4 * declineAgain
)

// decline answers a menu with Escape, if the agent shows it before it takes a prompt:
// an offer or an announcement. It returns blocked if it may not. Escape accepts no offer
// and grants nothing. Questions about trust, the login and the settings are for the
// operator. Escape would end the agent there, and wherever an option is to exit
// (2.1.104 to 2.1.332).
func (p *Pane) decline(ctx context.Context, menu *agent.Menu, blocked error) error {
	switch menu.Kind {
	case agent.Trust, agent.Login, agent.Onboarding, agent.Settings:
		return blocked
	}
	if slices.ContainsFunc(menu.Options, exits.MatchString) || p.declined >= maxDeclined {
		return blocked
	}
	if err := p.term.SendKeys(ctx, p.Agent.Traits().Keys.Stop); err != nil {
		return Cause(ctx, err) // perhaps the Escape before has ended it
	}
	p.declined++
	p.refused = blockedBy(menu)
	p.Log.Info("declined a menu of the agent", p.LogID(), "options", p.Redactor.RedactAll(menu.Options))
	return nil
}

var exits = regexp.MustCompile(`(?i)\b(exit|quit)\b`)

// unblock is blocked for an agent that has no prompt yet. It declines menus that can be
// declined.
func (w *watch) unblock(ctx context.Context) error {
	err := w.blocked(ctx, bootStill)
	if err == nil {
		return nil
	}
	if w.view.Menu == nil {
		return err
	}
	if w.escaped.set() && w.escaped.since() < declineAgainBusy && !w.rests() {
		return nil
	}
	if err := w.pane.decline(ctx, w.view.Menu, err); err != nil {
		return err
	}
	w.escaped = w.pane.mark()
	w.foot.at = time.Now().Add(declineAgain)
	return nil
}

// ready waits for the agent's input line.
func (p *Pane) ready(ctx context.Context) error {
	w := watch{pane: p}
	tick := time.NewTicker(bootLook)
	defer tick.Stop()
	for {
		if err := w.look(ctx); err != nil {
			return Cause(ctx, err)
		}
		if w.view.Input {
			p.refused = nil // the agent has survived the Escape
			p.stood = true
			return nil
		}
		if err := w.unblock(ctx); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-p.term.Done():
			return os.ErrProcessDone
		case <-ctx.Done():
			return Why(ctx)
		}
	}
}
