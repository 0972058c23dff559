package bench

import (
	"context"
	"fmt"
	"time"
)

// Fairness is one run in which a merchant bursts while another makes a change now and then.
type Fairness struct {
	Scene     string  `json:"scene"`
	Burst     int     `json:"burst"`          // changes of the merchant that bursts
	PerSecond float64 `json:"burstPerSecond"` // accepted by the API
	Drained   bool    `json:"drained"`        // all of them arrived before we stopped waiting
	DrainedPS float64 `json:"drainPerSecond"` // arrived, from the first PUT to the last arrival
	During    Latency `json:"latencyDuring"`  // of the other merchant, while the API took the burst
	After     Latency `json:"latencyAfter"`   // and while its backlog was delivered
	Missing   int     `json:"missing"`        // of the other merchant
	Open      int     `json:"openAtTheEnd"`   // deliveries that Tidings still owed when we stopped waiting
	PutP99    float64 `json:"otherPutP99Ms"`  // how long its PUTs took
	Commands  float64 `json:"redisCommandsPerDelivery"`
	Met       bool    `json:"met"`
}

const (
	burstWriters  = 64
	burstOrders   = 1000
	burstAtMost   = 4 * time.Minute // then the burst is cut off
	drainAtMost   = 2 * time.Minute
	otherAtMost   = 15 * time.Second // what the other merchant is owed may take so long at the end
	otherEvery    = 250 * time.Millisecond
	otherOrders   = 40
	maxFairness   = time.Second // the bar
	otherSequence = 1 << 30     // where the other merchant's changes are counted from
)

// fairness lets one merchant burst. With sameTarget both merchants deliver to one target.
func fairness(ctx context.Context, cfg Config, burst int, sameTarget bool) (Fairness, error) {
	f := Fairness{Scene: "burst to a target of its own", Burst: burst}
	other := 1
	if sameTarget {
		f.Scene, other = "burst to the same target", 0
	}
	s, err := newStand(ctx, cfg, parts{targets: 2, redis: true, role: roleAll})
	if err != nil {
		return f, err
	}
	defer s.close()
	to := func(target int) func(int) string { return func(int) string { return s.receivers.url(target) } }
	busy := s.adapter("burst", burstOrders, to(0), func(int) string { return "busy" })
	quiet := s.adapter("other", otherOrders, to(other), func(int) string { return "quiet" })
	for _, a := range []*adapter{busy, quiet} {
		if err := a.register(ctx, 10*time.Second); err != nil {
			return f, err
		}
	}
	before, err := s.usage(ctx)
	if err != nil {
		return f, err
	}
	going, stop := context.WithCancel(ctx)
	defer stop()
	began, others := time.Now(), make(chan loaded, 1)
	go func() {
		most := int((burstAtMost + drainAtMost) / otherEvery)
		others <- openLoop(going, began, most, otherEvery, func(ctx context.Context, seq int, due time.Time) error {
			// What was begun is not cut off: it would count as missing.
			return quiet.change(context.WithoutCancel(ctx), otherSequence+seq, due)
		})
	}()
	load := closedLoop(ctx, burstWriters, burst, burstAtMost, busy.change)
	if load.Failed > 0 {
		return f, fmt.Errorf("burst: %d PUTs failed, the first: %w", load.Failed, load.First)
	}
	f.Burst, f.PerSecond = load.Sent, ratio(float64(load.Sent), load.Ended.Sub(began).Seconds())
	if _, err = s.receivers.awaitCount(ctx, load.Sent, drainAtMost); err != nil {
		return f, err
	}
	stop()
	made := <-others
	if _, err := s.receivers.awaitCount(ctx, load.Sent+made.Sent, otherAtMost); err != nil {
		return f, err
	}
	after, err := s.usage(ctx)
	if err != nil {
		return f, err
	}
	f.Open = int(after.Metrics["tidings_deliveries_open"])
	f.Commands, f.PutP99 = ratio(after.since(before).Commands, float64(load.Sent+made.Sent)), made.Answer.P99
	err = f.look(ctx, s, began, load.Ended, made.Sent)
	return f, err
}

// look takes the arrivals apart: those of the burst, and those of the other merchant during and after it.
func (f *Fairness) look(ctx context.Context, s *stand, began, burstEnded time.Time, made int) error {
	all, err := s.receivers.arrivals(ctx)
	if err != nil {
		return err
	}
	var during, after []time.Duration
	seen, delivered, last := map[int]bool{}, 0, began.UnixNano()
	for _, arrivals := range all {
		for _, a := range arrivals {
			switch {
			case seen[a.Seq]:
			case a.Seq < otherSequence:
				delivered, last = delivered+1, max(last, a.At)
			case a.Due < burstEnded.UnixNano():
				during = append(during, time.Duration(a.At-a.Due))
			default:
				after = append(after, time.Duration(a.At-a.Due))
			}
			seen[a.Seq] = true
		}
	}
	f.DrainedPS = ratio(float64(delivered), time.Duration(last-began.UnixNano()).Seconds())
	f.Drained = delivered >= f.Burst
	f.During, f.After, f.Missing = Summarise(during), Summarise(after), made-len(during)-len(after)
	bar := milliseconds(maxFairness)
	f.Met = f.Drained && f.Missing == 0 && f.During.Max < bar && f.After.Max < bar
	return nil
}
