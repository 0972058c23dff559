package queue_test

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
)

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
	s.receiver = newReceiver(t, func(_ int, w http.ResponseWriter, p post) {
		n := s.now.Add(1)
		defer s.now.Add(-1)
		for most := s.most.Load(); n > most && !s.most.CompareAndSwap(most, n); most = s.most.Load() {
		}
		s.mu.Lock()
		release := s.release
		s.mu.Unlock()
		select {
		case <-release:
		case <-p.gone: // what nobody waits for any more is not under way
		}
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
