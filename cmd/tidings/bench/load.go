package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// sender sends the seq-th change, which was due at a certain time.
type sender func(ctx context.Context, seq int, due time.Time) error

// loaded is what became of a load, seen from the loader.
type loaded struct {
	Sent   int       // how many were accepted
	Failed int       // how many were not
	First  error     // the first fault
	Began  time.Time // when the first was due
	Ended  time.Time // when the last was answered
	Lag    Latency   // how late the loader itself was: from due to sent
	Answer Latency   // from sent to answered
}

// fault is what makes a measurement worthless.
func (l loaded) fault(ctx context.Context) error {
	if l.Failed > 0 {
		return fmt.Errorf("%d changes were not accepted, the first: %w", l.Failed, l.First)
	}
	return ctx.Err()
}

// openInFlight bounds what an open loop has under way. When that is reached the loader waits, and what is due meanwhile
// is sent late: the latencies show it.
const openInFlight = 1024

// openLoop sends n changes at a fixed rate, whatever the answers take.
func openLoop(ctx context.Context, began time.Time, n int, every time.Duration, send sender) loaded {
	var wg sync.WaitGroup
	slots := make(chan struct{}, openInFlight)
	lags, answers := make([]time.Duration, n), make([]time.Duration, n)
	faults := &faultCount{}
	tick := time.NewTimer(0)
	defer tick.Stop()
	sent := 0
	for ; sent < n; sent++ {
		due := began.Add(time.Duration(sent) * every)
		tick.Reset(time.Until(due))
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		slots <- struct{}{}
		seq := sent
		wg.Go(func() {
			defer func() { <-slots }()
			now := time.Now()
			lags[seq] = now.Sub(due)
			faults.add(send(ctx, seq, due))
			answers[seq] = time.Since(now)
		})
	}
	wg.Wait()
	return loaded{Sent: sent - faults.n, Failed: faults.n, First: faults.first, Began: began, Ended: time.Now(),
		Lag: Summarise(lags[:sent]), Answer: Summarise(answers[:sent])}
}

// closedLoop lets writers send one change after another until most are sent or the time is over.
func closedLoop(ctx context.Context, writers, most int, during time.Duration, send sender) loaded {
	began := time.Now()
	end := began.Add(during)
	faults := &faultCount{}
	var next atomic.Int64
	var mu sync.Mutex
	var answers []time.Duration
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			var own []time.Duration
			for ctx.Err() == nil {
				now := time.Now()
				seq := int(next.Add(1)) - 1
				if seq >= most || now.After(end) {
					break
				}
				err := send(ctx, seq, now)
				faults.add(err)
				if err == nil {
					own = append(own, time.Since(now))
				}
			}
			mu.Lock()
			answers = append(answers, own...)
			mu.Unlock()
		})
	}
	wg.Wait()
	return loaded{Sent: len(answers), Failed: faults.n, First: faults.first, Began: began, Ended: time.Now(), Answer: Summarise(answers)}
}

// faultCount counts what went wrong while nobody was stopping us.
type faultCount struct {
	mu    sync.Mutex
	n     int
	first error
}

func (f *faultCount) add(err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n++; f.first == nil {
		f.first = err
	}
}
