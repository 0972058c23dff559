package main

import (
	"os"
	"testing"
	"time"

	"github.com/tidings/tidings/store/embedded"
)

func needRedis(t *testing.T) {
	t.Helper()
	if _, ok := embedded.Find(); ok {
		return
	}
	if os.Getenv("TIDINGS_REQUIRE_REDIS") != "" {
		t.Fatal("no redis-server on the PATH")
	}
	t.Skip("no redis-server on the PATH: the suite needs a real one")
}

// The short form of the suite: go run ./cmd/faults is the long one.
func TestShortRun(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	needRedis(t)
	plan := Plan{For: 20 * time.Second, Quiet: 90 * time.Second, Well: time.Minute, APIs: 2, Workers: 2, Orders: 20, Rate: 20, Every: 2 * time.Second}
	report, err := Run(t.Context(), plan, logTo{t})
	if err != nil {
		t.Fatal(err)
	}
	report.Print(logTo{t})
	if !report.Good() {
		t.Error("a promise was broken")
	}
}

// The suite must be able to fail: with nobody sweeping, what a killed worker had in flight is lost, and the judge says so.
// Only workers are killed, again and again: a run whose dice fall on other faults alone would lose nothing.
func TestPlantedFaultIsFound(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	needRedis(t)
	plan := Plan{For: 12 * time.Second, Quiet: 5 * time.Second, Well: time.Minute, APIs: 1, Workers: 2, Orders: 20, Rate: 40, Every: 700 * time.Millisecond,
		Only: "kill worker", NoSweep: true}
	report, err := Run(t.Context(), plan, logTo{t})
	if err != nil {
		t.Fatal(err)
	}
	report.Print(logTo{t})
	if report.Good() || len(report.Lost) == 0 {
		t.Error("nobody swept, and the judge found nothing lost: it cannot fail")
	}
}

// The same for the gates: with somebody who holds the keeper's turn and lets nothing out, what was parked stays parked;
// with no limit set, the target that was promised one sees a crowd. Nothing is killed, so nothing excuses that.
func TestPlantedFaultOfTheGatesIsFound(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	needRedis(t)
	plan := Plan{For: 10 * time.Second, Quiet: 6 * time.Second, Well: 5 * time.Second, APIs: 1, Workers: 1, Orders: 40, Rate: 120,
		Every: time.Hour, NoKeep: true, NoLimit: true}
	report, err := Run(t.Context(), plan, logTo{t})
	if err != nil {
		t.Fatal(err)
	}
	report.Print(logTo{t})
	if report.Good() || len(report.Gates.Forgotten) == 0 {
		t.Error("nobody let anything out, and the judge found nothing forgotten: it cannot fail")
	}
	if len(report.Gates.Crowded) == 0 {
		t.Error("nobody was limited, and the judge found no crowd: it cannot fail")
	}
}

type logTo struct{ t *testing.T }

func (l logTo) Write(p []byte) (int, error) { l.t.Log(string(p)); return len(p), nil }
