package queue_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
)

// owe registers the target on n orders of its own and changes each once: n deliveries that wait for nobody else.
func (h *house) owe(merchant, url string, n int) (ids []string) {
	h.t.Helper()
	was := h.ref
	defer func() { h.ref = was }()
	for i := range n {
		h.ref = dispatcher.OrderRef{Merchant: merchant, OrderID: fmt.Sprintf("%s-%d-%d", merchant, h.orders.Add(1), i)}
		h.register(url, func(n *dispatcher.Notification) {
			n.Timeout = dispatcher.Duration(time.Second)
			n.Retry = dispatcher.Retry{MaxAttempts: 50, Schedule: []dispatcher.Duration{dispatcher.Duration(time.Second)}}
		})
		for _, d := range h.change("completed") {
			ids = append(ids, d.ID)
		}
	}
	return ids
}

// statusesOf counts deliveries by status.
func (h *house) statusesOf(ids []string) map[dispatcher.Status]int {
	h.t.Helper()
	held, err := h.store.Read(h.t.Context(), ids...)
	if err != nil {
		h.t.Fatal(err)
	}
	count := map[dispatcher.Status]int{}
	for _, d := range held {
		count[d.Status]++
	}
	return count
}

func (h *house) awaitAll(ids []string, want dispatcher.Status) {
	h.t.Helper()
	var got map[dispatcher.Status]int
	h.until(func() bool { got = h.statusesOf(ids); return got[want] == len(ids) },
		func() string { return fmt.Sprintf("deliveries are %v, not all %s", got, want) })
}

func (h *house) awaitGate(target string, want dispatcher.GateState) dispatcher.Gate {
	h.t.Helper()
	var gate dispatcher.Gate
	h.until(func() bool {
		gates, _, err := h.store.Gates(h.t.Context())
		if err != nil {
			h.t.Fatal(err)
		}
		var known bool
		if gate, known = gates[target]; !known {
			gate.State = dispatcher.GateClosed
		}
		return gate.State == want
	}, func() string { return fmt.Sprintf("gate of %s is %+v, not %s", target, gate, want) })
	return gate
}

// sick is a receiver that can be told to hang, to refuse or to be well, and counts how many requests it has at once.
type sick struct {
	*receiver
	mu      sync.Mutex
	release chan struct{} // closed: requests do not hang
	status  atomic.Int64
	now     atomic.Int64
	most    atomic.Int64
}

func newSick(t *testing.T) *sick {
	t.Helper()
	s := &sick{release: make(chan struct{})}
	s.status.Store(http.StatusOK)
	s.receiver = newReceiver(t, func(_ int, w http.ResponseWriter, _ post) {
		n := s.now.Add(1)
		defer s.now.Add(-1)
		for most := s.most.Load(); n > most && !s.most.CompareAndSwap(most, n); most = s.most.Load() {
		}
		s.mu.Lock()
		release := s.release
		s.mu.Unlock()
		<-release
		w.WriteHeader(int(s.status.Load()))
	})
	t.Cleanup(s.heal)
	return s
}

func (s *sick) heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.release:
	default:
		close(s.release)
	}
}

func (s *sick) target() string { return s.URL }

func TestHangingTargetIsParkedAndHarmsNobody(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1) // 16 attempts at once: 4 of one target
		dead, well := newSick(t), newReceiver(t, nil)
		ill := h.owe("acme", dead.URL, 40)
		h.until(func() bool { return h.statusesOf(ill)[dispatcher.StatusParked] >= 30 },
			func() string { return fmt.Sprint("not parked: ", h.statusesOf(ill)) })

		began := time.Now()
		h.awaitAll(h.owe("other", well.URL, 20), dispatcher.StatusDelivered)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("20 deliveries to a target that is well took %s", took)
		}

		gate := h.awaitGate(dead.target(), dispatcher.GateOpen)
		if gate.Reason != dispatcher.ParkTrouble || gate.Fault != dispatcher.ReasonTimeout {
			t.Errorf("gate %+v", gate)
		}
		dead.heal()
		h.awaitAll(ill, dispatcher.StatusDelivered)
		h.awaitGate(dead.target(), dispatcher.GateClosed)
		// 4 by the cap, and the probes of those that time out.
		if most := dead.most.Load(); most > 6 {
			t.Errorf("%d requests at once to the hanging target, want at most 6", most)
		}
		h.noneLeft(dead.target())
	})
}

// noneLeft holds the store to having nothing of the target's line and passes, and nothing orphaned.
func (h *house) noneLeft(target string) {
	h.t.Helper()
	h.until(func() bool {
		crowds, err := h.store.Crowds(h.t.Context(), []string{target})
		if err != nil {
			h.t.Fatal(err)
		}
		return crowds[0].Parked == 0 && crowds[0].Passes == 0
	}, func() string { return "line or passes left at " + target })
	audit, err := h.store.Audit(h.t.Context())
	if err != nil || audit.Orphaned != 0 || audit.Open != 0 {
		h.t.Errorf("audit %+v, %v", audit, err)
	}
}
