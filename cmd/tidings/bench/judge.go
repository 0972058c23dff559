package bench

import "time"

// judge counts what was owed to good targets by changes that were due in the window.
func (sc Scene) judge(seen [][]Arrival, began time.Time, every time.Duration, n int, until time.Time) Run {
	r := Run{Scene: sc.Name}
	from, to := began.Add(sc.Warm), began.Add(sc.Warm+sc.Window)
	first := map[int]int64{} // seq -> its arrival
	within := 0
	for i, arrivals := range seen {
		for _, a := range arrivals {
			if i < sc.Bad {
				if a.At >= from.UnixNano() {
					r.BadSeen++
				}
				continue
			}
			if _, known := first[a.Seq]; known {
				r.Duplicates++
				continue
			}
			first[a.Seq] = a.At
			if a.At >= from.UnixNano() && a.At < to.UnixNano() {
				within++
			}
		}
	}
	var took []time.Duration
	seconds := make([][]time.Duration, int(sc.Window.Seconds())+1)
	for seq := range n {
		due := began.Add(time.Duration(seq) * every)
		if seq%sc.Targets < sc.Bad || due.Before(from) {
			continue
		}
		at, arrived := first[seq]
		if !arrived {
			at = until.UnixNano()
			r.Missing++
		}
		took = append(took, time.Duration(at-due.UnixNano()))
		second := int(due.Sub(from).Seconds())
		seconds[second] = append(seconds[second], took[len(took)-1])
	}
	r.Second = medianSecond(seconds)
	r.PerSecond, r.Latency = float64(within)/sc.Window.Seconds(), Summarise(took)
	return r
}

func medianSecond(seconds [][]time.Duration) float64 {
	var p99 []float64
	for _, took := range seconds {
		if len(took) > 0 {
			p99 = append(p99, Summarise(took).P99)
		}
	}
	return SpreadOf(p99).Median
}

func upTo(n int) (all []int) {
	for i := range n {
		all = append(all, i)
	}
	return all
}
