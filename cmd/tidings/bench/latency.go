package bench

import (
	"math"
	"slices"
	"time"
)

// Latency sums up how long something took, in milliseconds.
type Latency struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50Ms"`
	P95   float64 `json:"p95Ms"`
	P99   float64 `json:"p99Ms"`
	Max   float64 `json:"maxMs"`
}

// Summarise takes the nearest rank: the p99 is a latency that really was. It sorts what it is given.
func Summarise(took []time.Duration) Latency {
	slices.Sort(took)
	at := func(share float64) float64 {
		if len(took) == 0 {
			return 0
		}
		rank := int(math.Ceil(share * float64(len(took))))
		return milliseconds(took[max(rank, 1)-1])
	}
	return Latency{len(took), at(0.5), at(0.95), at(0.99), at(1)}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// Spread of a figure over rounds.
type Spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// SpreadOf takes the middle one of an odd number, and the mean of the middle two of an even one.
func SpreadOf(figures []float64) Spread {
	if len(figures) == 0 {
		return Spread{}
	}
	sorted := slices.Sorted(slices.Values(figures))
	n := len(sorted)
	return Spread{(sorted[(n-1)/2] + sorted[n/2]) / 2, sorted[0], sorted[n-1]}
}

// medianOf picks a figure of each and returns the median.
func medianOf[T any](all []T, figure func(T) float64) float64 {
	figures := make([]float64, len(all))
	for i, one := range all {
		figures[i] = figure(one)
	}
	return SpreadOf(figures).Median
}

// medianLatency has the medians of the rounds' figures, but the highest of their maxima.
func medianLatency[T any](all []T, latency func(T) Latency) Latency {
	of := func(figure func(Latency) float64) float64 {
		return medianOf(all, func(one T) float64 { return figure(latency(one)) })
	}
	l := Latency{
		Count: int(of(func(l Latency) float64 { return float64(l.Count) })), P50: of(func(l Latency) float64 { return l.P50 }),
		P95: of(func(l Latency) float64 { return l.P95 }), P99: of(func(l Latency) float64 { return l.P99 }),
	}
	for _, one := range all {
		l.Max = max(l.Max, latency(one).Max)
	}
	return l
}

// ratio is 0 when there is nothing to compare with.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
