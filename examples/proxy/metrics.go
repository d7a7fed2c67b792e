package main

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tuiturn/tuiturn"
)

// metrics are the proxy's own Prometheus metrics.
type metrics struct {
	handler   http.Handler
	requests  *prometheus.CounterVec   // by path and status
	phases    *prometheus.HistogramVec // of turns
	firstText prometheus.Histogram
}

func newMetrics(runner *tuiturn.Runner) *metrics {
	// From a warm answer of one line to a queue in front of a long one.
	buckets := prometheus.ExponentialBuckets(0.05, 2, 14) // to 410 s
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tuiturn_proxy_requests_total", Help: "HTTP requests by path and status; 499 stands for a client that has gone.",
		}, []string{"path", "status"}),
		phases: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tuiturn_turn_seconds", Help: "Where the time of turns went: queue, boot, submit, answer, teardown, and total.", Buckets: buckets,
		}, []string{"phase"}),
		firstText: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tuiturn_proxy_first_text_seconds", Help: "From a streamed request to the first text of its answer.", Buckets: buckets,
		}),
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(
		m.requests, m.phases, m.firstText, stats{runner},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	m.handler = promhttp.HandlerFor(reg, promhttp.HandlerOpts{})
	return m
}

// turn records how long the parts of a turn took. A turn whose client has disconnected
// counts only in the Runner's statistics.
func (m *metrics) turn(res *tuiturn.Result) {
	t := res.Timings
	for phase, took := range map[string]time.Duration{
		"queue": t.Queue, "boot": t.Boot, "submit": t.Submit, "answer": t.Answer, "teardown": t.Teardown, "total": t.Total,
	} {
		m.phases.WithLabelValues(phase).Observe(took.Seconds())
	}
}

// stats are the Runner's statistics, read when Prometheus asks.
type stats struct{ runner *tuiturn.Runner }

// A stat is one of them, or one for each value of a label.
type stat struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(tuiturn.Stats) float64
	each  func(tuiturn.Stats) map[string]int64
}

func newStat(kind prometheus.ValueType, name, help string, value func(tuiturn.Stats) float64) stat {
	return stat{prometheus.NewDesc("tuiturn_"+name, help, nil, nil), kind, value, nil}
}

var allStats = []stat{
	{prometheus.NewDesc("tuiturn_turns_total", "Turns that have ended, by outcome.", []string{"outcome"}, nil), prometheus.CounterValue,
		nil, func(s tuiturn.Stats) map[string]int64 { return s.Turns }},
	{prometheus.NewDesc("tuiturn_drift_total", "What the agents' transcripts have that is not known, and lack of what is.", []string{"what"}, nil), prometheus.CounterValue,
		nil, func(s tuiturn.Stats) map[string]int64 { return s.Drift }},
	newStat(prometheus.GaugeValue, "turns_running", "Turns under way.", func(s tuiturn.Stats) float64 { return float64(s.Running) }),
	newStat(prometheus.GaugeValue, "turns_waiting", "Turns that wait for one to end.", func(s tuiturn.Stats) float64 { return float64(s.Waiting) }),
	newStat(prometheus.CounterValue, "boots_total", "Turns that found no agent ready and started one.", func(s tuiturn.Stats) float64 { return float64(s.Boots) }),
	newStat(prometheus.CounterValue, "resubmits_total", "Enters that were pressed once more.", func(s tuiturn.Stats) float64 { return float64(s.Resubmits) }),
	newStat(prometheus.CounterValue, "reaped_total", "Processes of dead hosts that were ended.", func(s tuiturn.Stats) float64 { return float64(s.Reaped) }),
	newStat(prometheus.GaugeValue, "pool_ready", "Agents that stand ready.", func(s tuiturn.Stats) float64 { return float64(s.Pool.Ready) }),
	newStat(prometheus.CounterValue, "pool_hits_total", "Turns that took an agent that stood ready.", func(s tuiturn.Stats) float64 { return float64(s.Pool.Hits) }),
	newStat(prometheus.CounterValue, "pool_misses_total", "Turns that found none.", func(s tuiturn.Stats) float64 { return float64(s.Pool.Misses) }),
	newStat(prometheus.CounterValue, "pool_boots_total", "Starts of agents that are to stand ready.", func(s tuiturn.Stats) float64 { return float64(s.Pool.Boots) }),
	newStat(prometheus.CounterValue, "pool_boot_failures_total", "Those of them that failed.", func(s tuiturn.Stats) float64 { return float64(s.Pool.BootFailures) }),
	newStat(prometheus.CounterValue, "pool_unwell_total", "Agents that were found dead or busy when a turn came.", func(s tuiturn.Stats) float64 { return float64(s.Pool.Unwell) }),
	newStat(prometheus.CounterValue, "pool_discarded_total", "Agents that were too many, too old or dead.", func(s tuiturn.Stats) float64 { return float64(s.Pool.Discarded) }),
}

func (stats) Describe(ch chan<- *prometheus.Desc) {
	for _, st := range allStats {
		ch <- st.desc
	}
}

func (s stats) Collect(ch chan<- prometheus.Metric) {
	now := s.runner.Stats()
	for _, st := range allStats {
		if st.value != nil {
			ch <- prometheus.MustNewConstMetric(st.desc, st.kind, st.value(now))
			continue
		}
		for label, n := range st.each(now) {
			ch <- prometheus.MustNewConstMetric(st.desc, st.kind, float64(n), label)
		}
	}
}
