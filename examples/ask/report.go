package main

import (
	"errors"
	"time"

	"github.com/tuiturn/tuiturn"
	"github.com/tuiturn/tuiturn/transcript"
	"github.com/tuiturn/tuiturn/tuiauth"
)

// classify puts an error into one of the kinds that -json names, and gives its
// exit status.
func classify(err error) (kind string, status int) {
	switch kind := tuiturn.Outcome(err); {
	case err == nil:
		return "", 0
	case errors.Is(err, errUsage):
		return "usage", statusUsage
	case errors.Is(err, tuiauth.ErrCredential):
		return "authentication", 3
	default:
		return kind, max(1, statuses[kind])
	}
}

// statuses are the exit statuses other than 1, by Outcome.
var statuses = map[string]int{
	"prompt":         statusUsage,
	"authentication": 3,
	"deadline":       4,
	"truncated":      4,
	"blocked":        5,
	"refused":        6,
	"service":        6,
}

// A report is what -json prints.
type report struct {
	Text         string           `json:"text"`
	SessionID    string           `json:"session_id"`
	StopReason   string           `json:"stop_reason"`
	Model        string           `json:"model"`
	Usage        transcript.Usage `json:"usage"`
	Terminal     string           `json:"terminal"`
	Warm         bool             `json:"warm"`
	AgentVersion string           `json:"agent_version"`
	Timings      timings          `json:"timings"`
	Error        *failure         `json:"error,omitempty"`
}

type timings struct {
	Queue    float64 `json:"queue_ms"`
	Boot     float64 `json:"boot_ms"`
	Submit   float64 `json:"submit_ms"`
	Answer   float64 `json:"answer_ms"`
	Teardown float64 `json:"teardown_ms"`
	Total    float64 `json:"total_ms"`
}

type failure struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
}

func newReport(res *tuiturn.Result, kind string, err error) report {
	if res == nil {
		res = &tuiturn.Result{}
	}
	r := report{
		Text:         res.Text,
		SessionID:    res.SessionID,
		StopReason:   res.StopReason,
		Model:        res.Model,
		Usage:        res.Usage,
		Terminal:     string(res.Terminal),
		Warm:         res.Warm,
		AgentVersion: res.AgentVersion,
		Timings: timings{
			Queue:    ms(res.Timings.Queue),
			Boot:     ms(res.Timings.Boot),
			Submit:   ms(res.Timings.Submit),
			Answer:   ms(res.Timings.Answer),
			Teardown: ms(res.Timings.Teardown),
			Total:    ms(res.Timings.Total),
		},
	}
	if err != nil {
		r.Error = &failure{kind, err.Error()}
	}
	return r
}

// ms is d in milliseconds, to the microsecond.
func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
