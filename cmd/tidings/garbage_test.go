package main

import "testing"

func TestGarbagePercent(t *testing.T) {
	t.Parallel()
	for live, want := range map[uint64]int{
		0: 400, 1 << 20: 400, 24 << 20: 400,
		40 << 20: 200, 48 << 20: 200, 64 << 20: 150, 65 << 20: 100, 96 << 20: 100,
		1 << 30: 100, 1 << 60: 100, // never less than usual: a large heap would be collected all the time
	} {
		if got := garbagePercent(live); got != want {
			t.Errorf("%d MB live: %d, want %d", live>>20, got, want)
		}
	}
}
