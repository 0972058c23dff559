package main

import (
	"maps"
	"sync"
	"time"
)

// History is all that was seen from outside: what was answered, what arrived, what was spoiled.
type History struct {
	mu       sync.Mutex
	accepted []Accepted
	arrivals []Arrival
	faults   []Fault
	spells   []Spell
	parked   map[string]int64
	gated    map[string][]time.Time
}

// Accepted is a delivery that an API answered 2xx with.
type Accepted struct {
	DeliveryID string
	Lane       string // order and notification
	Version    int64
	At         time.Time
}

// Arrival is one request as a receiver saw it, with what it answered.
type Arrival struct {
	DeliveryID string
	EventID    string
	Target     string
	Lane       string
	Version    int64
	At         time.Time
	Beside     int // requests that the receiver had at once when this one came, with this one
	Status     int // 0: the connection was broken without an answer
}

// Fault is something that was done to the system.
type Fault struct {
	Kind string
	At   time.Time
}

// Spell is how long a target was ill.
type Spell struct {
	Target string
	Mood   Mood
	From   time.Time
	Healed time.Time
}

// NewHistory returns an empty History.
func NewHistory() *History {
	return &History{parked: map[string]int64{}, gated: map[string][]time.Time{}}
}

// Accept adds deliveries that were answered 2xx.
func (h *History) Accept(all ...Accepted) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.accepted = append(h.accepted, all...)
}

// Arrive adds an arrival, before it is answered: nobody may come to rest first. It returns its place.
func (h *History) Arrive(a Arrival) (place int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.arrivals = append(h.arrivals, a)
	return len(h.arrivals) - 1
}

// Unanswered takes back that the arrival was answered.
func (h *History) Unanswered(place int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.arrivals[place].Status = 0
}

// Spoil adds a fault.
func (h *History) Spoil(kind string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = append(h.faults, Fault{kind, time.Now()})
}

// Ail adds a spell that is over.
func (h *History) Ail(s Spell) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.spells = append(h.spells, s)
}

// Crowd notes how many deliveries are parked for a target, and whether its gate keeps them.
func (h *History) Crowd(target string, parked int64, gated bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if gated {
		h.gated[target] = append(h.gated[target], time.Now())
	}
	h.parked[target] = max(h.parked[target], parked)
}

// Snapshot is a copy that nobody writes.
func (h *History) Snapshot() Record {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Record{
		Accepted: append([]Accepted(nil), h.accepted...),
		Arrivals: append([]Arrival(nil), h.arrivals...),
		Faults:   append([]Fault(nil), h.faults...),
		Spells:   append([]Spell(nil), h.spells...),
		Parked:   maps.Clone(h.parked),
		Gated:    maps.Clone(h.gated),
	}
}

// Record is a History at rest.
type Record struct {
	Accepted  []Accepted
	Arrivals  []Arrival
	Faults    []Fault
	Spells    []Spell
	Parked    map[string]int64       // target -> the most that were parked for it at once
	Gated     map[string][]time.Time // target -> when its gate was seen to let not everything pass
	Listening []string               // targets that accepted every connection all the time
	Limited   string                 // the target that was promised a limit
	LetOut    bool                   // every target has been well for so long that nothing may be parked any more
}
