package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// A delivery leaves some 50 KB of garbage behind, and little lives, for every cache is bounded: at Go's usual 100 percent of
// what lives, the collector runs several times a second, and takes a tenth of the CPU. So garbage may gather up to
// garbageRoom, or four times what lives; where more lives than that room, it is as usual.
const (
	garbageRoom  = 96 << 20
	usualPercent = 100
	mostPercent  = 400
	stepPercent  = 50 // to set it stops the world, for as long as a collection does
)

// garbagePercent is what Go calls GOGC, for a heap of which so many bytes live.
func garbagePercent(live uint64) int {
	percent := garbageRoom * 100 / max(live, 1)
	return int(min(max(percent-percent%stepPercent, usualPercent), mostPercent))
}

// letGarbageGather sets it, after every collection anew. An operator's GOGC stays as it is; GOMEMLIMIT is a bound in any
// case: near it Go collects more often.
var letGarbageGather = sync.OnceFunc(func() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(mostPercent)
		afterCollection(mostPercent)
	}
})

// afterCollection waits for the next one by an object that it collects: nothing wakes up for it while nothing happens.
func afterCollection(percent int) {
	runtime.AddCleanup(new([16]byte), func(percent int) {
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(live)
		if now := garbagePercent(live[0].Value.Uint64()); now != percent {
			debug.SetGCPercent(now)
			percent = now
		}
		afterCollection(percent)
	}, percent)
}
