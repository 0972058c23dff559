package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"
)

// BenchmarkPatchToArrival measures an idle system: one PATCH at a time, at most 50 a second, until its POST arrives.
// It needs many rounds for its p99: go test -run xxx -bench PatchToArrival -benchtime 1000x ./cmd/tidings
func BenchmarkPatchToArrival(b *testing.B) {
	arrived := make(chan time.Time, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived <- time.Now() }))
	defer receiver.Close()
	p := start(b, "--data-dir", b.TempDir(), "--dev-token", "test-token", "--log-level", "warn")
	p.call("PUT", "/api/v0/checkout/orders/1", `{"state":{"currentStatus":"new"}}`)
	code, text := p.call("POST", "/api/v0/checkout/orders/1/notifications", fmt.Sprintf(`{"url":%q,"scope":{"state":["*"]}}`, receiver.URL))
	if code != http.StatusCreated {
		b.Fatal(text)
	}
	pace := time.NewTicker(20 * time.Millisecond)
	defer pace.Stop()
	took := make([]time.Duration, 0, b.N)
	b.ResetTimer()
	for i := range b.N {
		<-pace.C
		began := time.Now()
		if code, text := p.call("PATCH", "/api/v0/checkout/orders/1", fmt.Sprintf(`{"state":{"currentStatus":"s%d"}}`, i)); code != http.StatusOK {
			b.Fatal(text)
		}
		took = append(took, (<-arrived).Sub(began))
	}
	slices.Sort(took)
	at := func(share float64) float64 {
		return float64(took[int(share*float64(len(took)-1))].Microseconds()) / 1000
	}
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
	b.ReportMetric(0, "ns/op") // the pace is ours
}
