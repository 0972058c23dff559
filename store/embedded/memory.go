package embedded

import (
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// How often the clock of miniredis is moved. A step may take a key up to one
// step too early, so steps are short; each step visits every key, so with many
// keys they stretch until stepping costs a twentieth of the time.
const (
	clockStep     = 100 * time.Millisecond
	clockMaxStep  = time.Second
	clockCostPart = 20
)

// memory is a miniredis whose clock runs. By itself that clock stands still and
// nothing ever expires.
type memory struct {
	mini  *miniredis.Miniredis
	done  chan struct{} // never closed: memory does not end by itself
	stop  chan struct{}
	ended chan struct{}
	once  sync.Once
}

func newMemory() (*memory, error) {
	mini, err := miniredis.Run()
	if err != nil {
		return nil, err
	}
	m := &memory{
		mini:  mini,
		done:  make(chan struct{}),
		stop:  make(chan struct{}),
		ended: make(chan struct{}),
	}
	go m.runClock()
	return m, nil
}

func (m *memory) runClock() {
	defer close(m.ended)
	last := time.Now()
	timer := time.NewTimer(clockStep)
	defer timer.Stop()
	for {
		select {
		case <-m.stop:
			return
		case <-timer.C:
		}
		now := time.Now()
		m.mini.FastForward(now.Sub(last))
		last = now
		timer.Reset(min(max(clockStep, clockCostPart*time.Since(now)), clockMaxStep))
	}
}

func (m *memory) close() {
	m.once.Do(func() {
		close(m.stop)
		<-m.ended
		m.mini.Close()
	})
}
