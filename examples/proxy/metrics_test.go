package main

import (
	"reflect"
	"testing"

	"github.com/tuiturn/tuiturn"
)

// Prometheus is told all that the Runner tells.
func TestAllStatsAreMetrics(t *testing.T) {
	fields := reflect.TypeFor[tuiturn.Stats]().NumField() - 1 + reflect.TypeFor[tuiturn.PoolStats]().NumField()
	if fields != len(allStats) {
		t.Errorf("Runner.Stats has %d numbers, the metrics have %d: add to allStats what is missing", fields, len(allStats))
	}
}
