package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tidings/tidings/store"
)

// Told is what Tidings itself says of a delivery: its Events.
type Told struct {
	Status      string
	Events      map[string]bool // ids
	Interrupted int             // Events that say: sent unknown, for the worker died
}

// Report is the judgement.
type Report struct {
	Seed        uint64         `json:"seed"`
	Accepted    int            `json:"accepted"`    // deliveries that were answered 2xx
	Arrivals    int            `json:"arrivals"`    // requests that receivers saw
	Faults      map[string]int `json:"faults"`      // by kind
	Kills       int            `json:"kills"`       // kill -9 of any process
	Lost        []string       `json:"lost"`        // accepted, and never answered 2xx by a receiver
	Duplicates  int            `json:"duplicates"`  // 2xx answered to a webhook-id again
	Unexplained []string       `json:"unexplained"` // duplicates without a fault between the first and the second
	Disorder    []string       `json:"disorder"`    // a lane's older version after a newer one
	Unrecorded  []string       `json:"unrecorded"`  // requests without an Event, nor one that says sent unknown
	Orphaned    int64          `json:"orphaned"`
	Open        int64          `json:"open"` // not settled when the time for rest was over
	Rested      time.Duration  `json:"restedNs"`
	// Recovery is how long after a worker was killed the attempts that it lost were made again.
	RecoveryP50 time.Duration `json:"recoveryP50Ns"`
	RecoveryMax time.Duration `json:"recoveryMaxNs"`
	Recoveries  int           `json:"recoveries"`
}

// Good reports whether every promise was kept.
func (r Report) Good() bool {
	return len(r.Lost) == 0 && len(r.Unexplained) == 0 && len(r.Disorder) == 0 && len(r.Unrecorded) == 0 &&
		r.Orphaned == 0 && r.Open == 0 && r.Accepted > 0
}

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
	r.judgeRecovery(arrivals, rec.Faults, told)

	delivered := map[string]bool{}
	for _, a := range arrivals {
		if a.Status >= 200 && a.Status <= 299 {
			delivered[a.DeliveryID] = true
		}
	}
	for _, a := range rec.Accepted {
		if !delivered[a.DeliveryID] {
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
		if !told[a.DeliveryID].Events[a.EventID] {
			missing[a.DeliveryID]++
		}
	}
	for id, n := range missing {
		if n > told[id].Interrupted {
			r.Unrecorded = append(r.Unrecorded, fmt.Sprintf("%s: %d requests without an event, %d events of unknown outcome", id, n, told[id].Interrupted))
		}
	}
	slices.Sort(r.Unrecorded)
}

// judgeRecovery measures from the kill of a worker to the next request for each delivery that the kill interrupted:
// the last request before the kill has no Event.
func (r *Report) judgeRecovery(arrivals []Arrival, faults []Fault, told map[string]Told) {
	byDelivery := map[string][]Arrival{}
	for _, a := range arrivals {
		byDelivery[a.DeliveryID] = append(byDelivery[a.DeliveryID], a)
	}
	var times []time.Duration
	for id, all := range byDelivery {
		for i := 0; i+1 < len(all); i++ {
			if told[id].Events[all[i].EventID] {
				continue
			}
			for _, f := range faults {
				if f.Kind == "kill worker" && f.At.After(all[i].At.Add(-time.Second)) && f.At.Before(all[i+1].At) {
					times = append(times, all[i+1].At.Sub(f.At))
					break
				}
			}
		}
	}
	if r.Recoveries = len(times); len(times) > 0 {
		slices.Sort(times)
		r.RecoveryP50, r.RecoveryMax = times[len(times)/2], times[len(times)-1]
	}
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
	line("lost", len(r.Lost))
	line("duplicates", r.Duplicates)
	line("duplicates unexplained", len(r.Unexplained))
	line("lane order violations", len(r.Disorder))
	line("requests without an event", len(r.Unrecorded))
	line("still open", r.Open)
	line("orphaned", r.Orphaned)
	line("recoveries of killed workers", fmt.Sprintf("%d, p50 %s, max %s", r.Recoveries, r.RecoveryP50.Round(time.Millisecond), r.RecoveryMax.Round(time.Millisecond)))
	for _, list := range [][]string{r.Lost, r.Unexplained, r.Disorder, r.Unrecorded} {
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
