package main

import (
	"sync"

	"github.com/tidings/tidings/dispatcher/receiver"
)

// history is what has come so far: by webhook-id, and by order and path.
type history struct {
	mu     sync.Mutex
	seen   map[string]*seen
	order  []string // ids in the order of their arrival; the oldest are forgotten
	newest map[lane]int64
}

// historySize bounds what a listen that is left running remembers.
const historySize = 100_000

// seen is what is known of one webhook-id.
type seen struct {
	times    int
	accepted bool // answered 2xx, so that it need not have come again
}

// lane is where a notification's deliveries for one order arrive: in the order of the changes, unless it is asked for
// otherwise.
type lane struct{ merchant, channel, order, path string }

// verdict is what the history says of a request.
type verdict struct {
	SeenBefore     int   // requests with this webhook-id
	AcceptedBefore bool  // one of them was answered 2xx
	LateAfter      int64 // the highest version that was here before, if it is higher than this one; else 0
}

func newHistory() *history { return &history{seen: map[string]*seen{}, newest: map[lane]int64{}} }

// arrive notes a request and tells what came before it. What has no id or no version cannot be compared.
func (h *history) arrive(m receiver.Message, path string) (v verdict) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if m.ID != "" {
		known := h.seen[m.ID]
		if known == nil {
			known = &seen{}
			h.remember(m.ID, known)
		}
		v.SeenBefore, v.AcceptedBefore = known.times, known.accepted
		known.times++
	}
	if m.OrderID == "" || m.OrderVersion == 0 {
		return v
	}
	at := lane{m.Merchant, m.Channel, m.OrderID, path}
	if newest := h.newest[at]; m.OrderVersion < newest {
		v.LateAfter = newest
	} else {
		h.newest[at] = m.OrderVersion
	}
	if len(h.newest) > historySize {
		h.newest = map[lane]int64{at: h.newest[at]}
	}
	return v
}

func (h *history) remember(id string, s *seen) {
	h.seen[id], h.order = s, append(h.order, id)
	if len(h.order) > historySize {
		delete(h.seen, h.order[0])
		h.order = h.order[1:]
	}
}

// accepted notes that a request with this id was answered 2xx.
func (h *history) accepted(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if known := h.seen[id]; known != nil {
		known.accepted = true
	}
}
