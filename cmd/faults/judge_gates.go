package main

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tidings/tidings/dispatcher"
)

// Gates is what the judge says of the gates before the targets.
type Gates struct {
	Spells    map[string]int   `json:"spells"`    // by mood
	Parked    map[string]int64 `json:"parked"`    // the most that were parked at once, by target
	Met       map[string]int   `json:"met"`       // requests that came while a target was ill, by mood
	Back      Spread           `json:"back"`      // from the end of a spell to the first 2xx, if one came before the next spell
	Beside    int              `json:"beside"`    // the most requests at once that the limited target saw
	Excused   int              `json:"excused"`   // requests beyond its limit within crowdedFor of a kill of Redis
	Crowded   []string         `json:"crowded"`   // requests beyond its limit at any other time
	Forgotten []string         `json:"forgotten"` // still parked, though every target has been well for long
	Burnt     []string         `json:"burnt"`     // attempts that were counted and that no receiver saw
	Untold    []string         `json:"untold"`    // interrupted attempts that no fault explains
}

// Good reports whether the gates kept their promises, and were tried.
func (g Gates) Good() bool {
	return len(g.Crowded) == 0 && len(g.Forgotten) == 0 && len(g.Burnt) == 0 && len(g.Untold) == 0 && g.tried()
}

// tried: a run in which nothing was ever parked says nothing of gates.
func (g Gates) tried() bool {
	for _, n := range g.Parked {
		if n > 0 {
			return true
		}
	}
	return false
}

// crowdedFor is how long after a kill of Redis the limited target may see more than its limit: a worker that started while
// Redis was away learns of the limits only beside its first attempts, and Redis is away for three seconds at most. The
// kill of a worker excuses nothing: its attempt may go on at the receiver, but its place stays taken until the deadline
// and a lease have passed.
const crowdedFor = 5 * time.Second

func judgeGates(rec Record, arrivals []Arrival, told map[string]Told) Gates {
	g := Gates{Spells: map[string]int{}, Parked: rec.Parked, Met: map[string]int{}}
	g.judgeSpells(rec, arrivals)
	g.judgeLimit(rec, arrivals)
	g.judgeAttempts(rec, arrivals, told)
	return g
}

func (g *Gates) judgeSpells(rec Record, arrivals []Arrival) {
	var back []time.Duration
	for _, s := range rec.Spells {
		g.Spells[string(s.Mood)]++
		for _, a := range arrivals {
			if a.Target == s.Target && a.At.After(s.From) && a.At.Before(s.Healed) {
				g.Met[string(s.Mood)]++
			}
		}
		well := slices.IndexFunc(arrivals, func(a Arrival) bool {
			return a.Target == s.Target && a.At.After(s.Healed) && a.Status/100 == 2
		})
		if well >= 0 && !slices.ContainsFunc(rec.Spells, func(next Spell) bool {
			return next.Target == s.Target && next.From.After(s.Healed) && next.From.Before(arrivals[well].At)
		}) {
			back = append(back, arrivals[well].At.Sub(s.Healed))
		}
	}
	g.Back = spread(back)
}

func (g *Gates) judgeLimit(rec Record, arrivals []Arrival) {
	for _, a := range arrivals {
		if a.Target != rec.Limited {
			continue
		}
		g.Beside = max(g.Beside, a.Beside)
		switch {
		case a.Beside <= limit:
		case slices.ContainsFunc(rec.Faults, func(f Fault) bool {
			return f.Kind == "kill redis" && f.At.Before(a.At) && a.At.Before(f.At.Add(crowdedFor))
		}):
			g.Excused++
		default:
			g.Crowded = append(g.Crowded, fmt.Sprintf("%s: %d at once at %s", a.DeliveryID, a.Beside, a.At.Format(time.TimeOnly)))
		}
	}
}

// judgeAttempts holds what Tidings counted against what the receivers saw. At a target that accepts every connection
// each attempt is a request; and only what killed a worker, or kept it from Redis, may interrupt one.
func (g *Gates) judgeAttempts(rec Record, arrivals []Arrival, told map[string]Told) {
	seen := map[string]bool{}
	for _, a := range arrivals {
		seen[a.EventID] = true
	}
	for _, id := range slices.Sorted(maps.Keys(told)) {
		t := told[id]
		if rec.LetOut && t.Status == dispatcher.StatusParked {
			g.Forgotten = append(g.Forgotten, id)
		}
		if t.Made != len(t.Attempts) {
			g.Burnt = append(g.Burnt, fmt.Sprintf("%s: %d attempts counted, %d told", id, t.Made, len(t.Attempts)))
		}
		for _, a := range t.Attempts {
			if a.Interrupted && !faultBetween(rec.Faults, a.Began, a.Found) {
				g.Untold = append(g.Untold, id+": event "+a.EventID)
			}
			if slices.Contains(rec.Listening, a.Target) && !seen[a.EventID] {
				g.Burnt = append(g.Burnt, id+": no request for event "+a.EventID)
			}
		}
	}
}

func (g Gates) print(line func(name string, value any)) {
	for _, mood := range slices.Sorted(maps.Keys(g.Spells)) {
		line("spells: "+mood, fmt.Sprintf("%d, %d requests came meanwhile", g.Spells[mood], g.Met[mood]))
	}
	line("parked at once, by target", slices.Sorted(maps.Values(g.Parked)))
	line("first 2xx after a spell", g.Back)
	line("limited target saw at once", g.Beside)
	line("  beyond its limit, excused", g.Excused)
	line("  beyond its limit", len(g.Crowded))
	line("forgotten while parked", len(g.Forgotten))
	line("attempts burnt", len(g.Burnt))
	line("interruptions unexplained", len(g.Untold))
}
