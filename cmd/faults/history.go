package main

import (
	"sync"
	"time"
)

// History is all that was seen from outside: what was answered, what arrived, what was spoiled.
type History struct {
	mu       sync.Mutex
	accepted []Accepted
	arrivals []Arrival
	faults   []Fault
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
	Lane       string
	Version    int64
	At         time.Time
	Status     int // 0: the connection was broken without an answer
}

// Fault is something that was done to the system.
type Fault struct {
	Kind string
	At   time.Time
}

// NewHistory returns an empty History.
func NewHistory() *History { return &History{} }

// Accept adds deliveries that were answered 2xx.
func (h *History) Accept(all ...Accepted) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.accepted = append(h.accepted, all...)
}

// Arrive adds an arrival.
func (h *History) Arrive(a Arrival) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.arrivals = append(h.arrivals, a)
}

// Spoil adds a fault.
func (h *History) Spoil(kind string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = append(h.faults, Fault{kind, time.Now()})
}

// Snapshot is a copy that nobody writes.
func (h *History) Snapshot() Record {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Record{
		Accepted: append([]Accepted(nil), h.accepted...),
		Arrivals: append([]Arrival(nil), h.arrivals...),
		Faults:   append([]Fault(nil), h.faults...),
	}
}

// Record is a History at rest.
type Record struct {
	Accepted []Accepted
	Arrivals []Arrival
	Faults   []Fault
}
