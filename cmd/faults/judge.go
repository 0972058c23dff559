package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

// Told is what Tidings itself says of a delivery: its Events.
type Told struct {
	Status   dispatcher.Status
	Made     int           // attempts, as the delivery counts them
	Attempts []TellAttempt // oldest first
}

// TellAttempt is an attempt as its Event tells it.
type TellAttempt struct {
	EventID     string
	Target      string // of the request; an interrupted attempt does not know it
	Began       time.Time
	Found       time.Time // when it was recorded
	Interrupted bool      // sent unknown, for the worker died
}

func (t Told) has(eventID string) bool {
	return slices.ContainsFunc(t.Attempts, func(a TellAttempt) bool { return a.EventID == eventID })
}

func (t Told) interrupted() (n int) {
	for _, a := range t.Attempts {
		if a.Interrupted {
			n++
		}
	}
	return n
}

// Report is the judgement.
type Report struct {
	Seed        uint64         `json:"seed"`
	Accepted    int            `json:"accepted"`    // deliveries that were answered 2xx
	Arrivals    int            `json:"arrivals"`    // requests that receivers saw
	Faults      map[string]int `json:"faults"`      // by kind
	Kills       int            `json:"kills"`       // kill -9 of any process
	GivenUp     int            `json:"givenUp"`     // accepted, and given up by its policy: the receiver was away for too long
	Lost        []string       `json:"lost"`        // accepted, and neither answered 2xx by a receiver nor given up by its policy
	Duplicates  int            `json:"duplicates"`  // 2xx answered to a webhook-id again
	Unexplained []string       `json:"unexplained"` // duplicates without a fault between the first and the second
	Disorder    []string       `json:"disorder"`    // a lane's older version after a newer one
	Unrecorded  []string       `json:"unrecorded"`  // requests without an Event, nor one that says sent unknown
	Orphaned    int64          `json:"orphaned"`
	Open        int64          `json:"open"` // not settled when the time for rest was over
	Rested      time.Duration  `json:"restedNs"`
	// How long after the kill of a worker the attempts that it lost were made again: Undisturbed by any second fault, which is
	// the measure of the promise; Disturbed by one; Kept back by the gate of its target, for as long as that was ill or busy.
	Undisturbed Spread `json:"undisturbedRecovery"`
	Disturbed   Spread `json:"disturbedRecovery"`
	Kept        Spread `json:"keptRecovery"`
	Gates       Gates  `json:"gates"`
}

// Good reports whether every promise was kept.
func (r Report) Good() bool {
	return len(r.Lost) == 0 && len(r.Unexplained) == 0 && len(r.Disorder) == 0 && len(r.Unrecorded) == 0 &&
		r.Orphaned == 0 && r.Open == 0 && r.Accepted > 0 && r.Undisturbed.Max <= recoveryBar && r.Gates.Good()
}

// recoveryBar is how soon a killed worker's deliveries are promised to be sent again.
const recoveryBar = 15 * time.Second

// duplicating are the faults that may bring a duplicate: what was answered could not be recorded, or who knew of it died.
var duplicating = []string{"kill worker", "kill redis", "cut connections"}

// Judge compares what was answered, what arrived, and what Tidings tells.
func Judge(rec Record, told map[string]Told, audit store.Audit) Report {
	r := Report{Accepted: len(rec.Accepted), Arrivals: len(rec.Arrivals), Faults: map[string]int{},
		Orphaned: audit.Orphaned, Open: audit.Open}
	for _, f := range rec.Faults {
		r.Faults[f.Kind]++
		if strings.HasPrefix(f.Kind, "kill ") {
			r.Kills++
		}
	}
	arrivals := slices.Clone(rec.Arrivals)
	slices.SortStableFunc(arrivals, func(a, b Arrival) int { return a.At.Compare(b.At) })
	r.judgeArrivals(arrivals, rec.Faults)
	r.judgeRecords(arrivals, told)
	r.judgeRecovery(rec, told)
	r.Gates = judgeGates(rec, arrivals, told)

	delivered := map[string]bool{}
	for _, a := range arrivals {
		if a.Status >= 200 && a.Status <= 299 {
			delivered[a.DeliveryID] = true
		}
	}
	for _, a := range rec.Accepted {
		switch {
		case delivered[a.DeliveryID]:
		case told[a.DeliveryID].Status == dispatcher.StatusFailed:
			r.GivenUp++
		default:
			r.Lost = append(r.Lost, a.DeliveryID)
		}
	}
	return r
}

// judgeArrivals looks for duplicates and disorder. In a lane no request for an older version may come once a newer one
// has been sent: the older was settled before the newer began. A duplicate may, for its worker died.
func (r *Report) judgeArrivals(arrivals []Arrival, faults []Fault) {
	first := map[string]Arrival{} // first 2xx of a delivery
	newest := map[string]int64{}  // of a lane
	for _, a := range arrivals {
		done, again := first[a.DeliveryID]
		if again {
			r.Duplicates++
			if !faultBetween(faults, done.At, a.At) {
				r.Unexplained = append(r.Unexplained, a.DeliveryID)
			}
			continue
		}
		if a.Version < newest[a.Lane] {
			r.Disorder = append(r.Disorder, fmt.Sprintf("%s: version %d after %d", a.Lane, a.Version, newest[a.Lane]))
		}
		newest[a.Lane] = max(newest[a.Lane], a.Version)
		if a.Status >= 200 && a.Status <= 299 {
			first[a.DeliveryID] = a
		}
	}
}

// faultBetween allows for the attempt to have begun, and the fault's clock to have been read, a little before.
func faultBetween(faults []Fault, from, to time.Time) bool {
	return slices.ContainsFunc(faults, func(f Fault) bool {
		return slices.Contains(duplicating, f.Kind) && f.At.After(from.Add(-2*time.Second)) && f.At.Before(to)
	})
}

func (r *Report) judgeRecords(arrivals []Arrival, told map[string]Told) {
	missing := map[string]int{}
	for _, a := range arrivals {
		if !told[a.DeliveryID].has(a.EventID) {
			missing[a.DeliveryID]++
		}
	}
	for id, n := range missing {
		if unknown := told[id].interrupted(); n > unknown {
			r.Unrecorded = append(r.Unrecorded, fmt.Sprintf("%s: %d requests without an event, %d events of unknown outcome", id, n, unknown))
		}
	}
	slices.Sort(r.Unrecorded)
}

// disturbing are the faults that make a recovery begin anew.
var disturbing = []string{"kill worker", "stop worker", "kill redis", "cut connections", "flush asynq", "lose half of asynq"}

// judgeRecovery measures from the kill of a worker to the next attempt of each delivery that the kill interrupted.
func (r *Report) judgeRecovery(rec Record, told map[string]Told) {
	var undisturbed, disturbed, kept []time.Duration
	faults := rec.Faults
	for _, t := range told {
		for i := 0; i+1 < len(t.Attempts); i++ {
			lost, next := t.Attempts[i], t.Attempts[i+1]
			if !lost.Interrupted {
				continue
			}
			killed := slices.IndexFunc(faults, func(f Fault) bool {
				return f.Kind == "kill worker" && f.At.After(lost.Began.Add(-time.Second)) && f.At.Before(next.Began)
			})
			if killed < 0 {
				continue
			}
			took := next.Began.Sub(faults[killed].At)
			gated := slices.ContainsFunc(rec.Gated[next.Target], func(at time.Time) bool {
				return at.After(faults[killed].At) && at.Before(next.Began)
			})
			again := slices.ContainsFunc(faults[killed+1:], func(f Fault) bool {
				return slices.Contains(disturbing, f.Kind) && f.At.Before(next.Began)
			})
			switch {
			case gated:
				kept = append(kept, took)
			case again:
				disturbed = append(disturbed, took)
			default:
				undisturbed = append(undisturbed, took)
			}
		}
	}
	r.Undisturbed, r.Disturbed, r.Kept = spread(undisturbed), spread(disturbed), spread(kept)
}

// Spread of some times.
type Spread struct {
	N   int           `json:"n"`
	P50 time.Duration `json:"p50Ns"`
	Max time.Duration `json:"maxNs"`
}

func spread(times []time.Duration) Spread {
	if len(times) == 0 {
		return Spread{}
	}
	slices.Sort(times)
	return Spread{len(times), times[len(times)/2], times[len(times)-1]}
}

// String tells a Spread to a person.
func (s Spread) String() string {
	return fmt.Sprintf("%d, p50 %s, max %s", s.N, s.P50.Round(time.Millisecond), s.Max.Round(time.Millisecond))
}

// Print tells the report to a person.
func (r Report) Print(w io.Writer) {
	line := func(name string, value any) { fmt.Fprintf(w, "%-28s %v\n", name, value) }
	line("seed", r.Seed)
	for _, kind := range slices.Sorted(maps.Keys(r.Faults)) {
		line("fault: "+kind, r.Faults[kind])
	}
	line("kills (-9)", r.Kills)
	line("accepted deliveries", r.Accepted)
	line("requests received", r.Arrivals)
	line("came to rest after", r.Rested.Round(time.Millisecond))
	line("given up by policy", r.GivenUp)
	line("lost", len(r.Lost))
	line("duplicates", r.Duplicates)
	line("duplicates unexplained", len(r.Unexplained))
	line("lane order violations", len(r.Disorder))
	line("requests without an event", len(r.Unrecorded))
	line("still open", r.Open)
	line("orphaned", r.Orphaned)
	line("recovery after a kill", r.Undisturbed)
	line("  disturbed by another", r.Disturbed)
	line("  kept by a gate", r.Kept)
	r.Gates.print(line)
	for _, list := range [][]string{r.Lost, r.Unexplained, r.Disorder, r.Unrecorded, r.Gates.Crowded, r.Gates.Forgotten, r.Gates.Burnt, r.Gates.Untold} {
		for _, text := range list[:min(len(list), 10)] {
			fmt.Fprintln(w, "  ", text)
		}
	}
	verdict := "GOOD"
	if !r.Good() {
		verdict = "BROKEN"
	}
	line("verdict", verdict)
}
