package main

import (
	"slices"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

var noon = time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

// good is a run in which everything went well: two versions in one lane, the first after a failed attempt, one duplicate
// that a kill explains. Beside it a target was ill, and another had its limit.
func good() (Record, map[string]Told, store.Audit) {
	rec := Record{
		Accepted: []Accepted{{DeliveryID: "d1", Lane: "l", Version: 1}, {DeliveryID: "d2", Lane: "l", Version: 2}},
		Arrivals: []Arrival{
			{DeliveryID: "d1", EventID: "e1", Lane: "l", Version: 1, At: at(1), Status: 503},
			{DeliveryID: "d1", EventID: "e2", Lane: "l", Version: 1, At: at(2), Status: 200},
			{DeliveryID: "d1", EventID: "e3", Lane: "l", Version: 1, At: at(14), Status: 200},
			{DeliveryID: "d2", EventID: "e4", Lane: "l", Version: 2, At: at(15), Status: 200},
			{DeliveryID: "d3", EventID: "e5", Lane: "m", Version: 1, At: at(60), Status: 200, Target: "limited", Beside: limit},
			{DeliveryID: "d4", EventID: "e6", Lane: "n", Version: 1, At: at(18), Status: 0, Target: "ill"},
			{DeliveryID: "d4", EventID: "e7", Lane: "n", Version: 1, At: at(24), Status: 200, Target: "ill"},
		},
		Faults: []Fault{{"kill worker", at(3)}, {"receiver slow", at(4)}},
		Spells: []Spell{{Target: "ill", Mood: Hangs, From: at(16), Healed: at(20)}},
		Parked: map[string]int64{"ill": 1}, Listening: []string{"ill", "limited"}, Limited: "limited", LetOut: true,
	}
	rec.Accepted = append(rec.Accepted, Accepted{DeliveryID: "d3", Lane: "m", Version: 1}, Accepted{DeliveryID: "d4", Lane: "n", Version: 1})
	told := map[string]Told{
		"d1": {Attempts: []TellAttempt{attempt("e1", 1), {EventID: "lost", Began: at(2), Found: at(13), Interrupted: true}, attempt("e3", 14)}, Made: 3},
		"d2": {Attempts: []TellAttempt{attempt("e4", 15)}, Made: 1},
		"d3": {Attempts: []TellAttempt{attempt("e5", 60)}, Made: 1},
		"d4": {Attempts: []TellAttempt{attempt("e6", 18), attempt("e7", 24)}, Made: 2},
	}
	return rec, told, store.Audit{Accepted: 4, Terminal: 4}
}

func TestJudgeOfAGoodRun(t *testing.T) {
	t.Parallel()
	r := Judge(good())
	if !r.Good() || r.Duplicates != 1 || r.Kills != 1 || r.Undisturbed.N != 1 || r.Undisturbed.Max != 11*time.Second {
		t.Errorf("%+v", r)
	}
	if g := r.Gates; g.Back.Max != 4*time.Second || g.Met["hangs"] != 1 || g.Beside != limit {
		t.Errorf("%+v", g)
	}
}

// Each row spoils the good run in one way, and the judge must find just that.
func TestJudgeFindsEachFault(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		spoil func(*Record, map[string]Told, *store.Audit)
		found func(Report) bool
	}{
		{"lost: never arrived", func(rec *Record, _ map[string]Told, _ *store.Audit) {
			rec.Accepted = append(rec.Accepted, Accepted{DeliveryID: "d9", Lane: "l", Version: 3})
		}, func(r Report) bool { return slices.Equal(r.Lost, []string{"d9"}) }},
		{"lost: only ever refused", func(rec *Record, _ map[string]Told, _ *store.Audit) { rec.Arrivals[3].Status = 503 },
			func(r Report) bool { return slices.Equal(r.Lost, []string{"d2"}) }},
		{"told as delivered, and yet never answered 2xx", func(rec *Record, told map[string]Told, _ *store.Audit) {
			rec.Arrivals[3].Status = 503
			told["d2"] = Told{Status: dispatcher.StatusDelivered, Attempts: told["d2"].Attempts}
		}, func(r Report) bool { return slices.Equal(r.Lost, []string{"d2"}) && r.GivenUp == 0 }},
		{"lost: broken off without an answer", func(rec *Record, _ map[string]Told, _ *store.Audit) { rec.Arrivals[3].Status = 0 },
			func(r Report) bool { return slices.Equal(r.Lost, []string{"d2"}) }},
		{"duplicate that nothing explains", func(rec *Record, _ map[string]Told, _ *store.Audit) { rec.Faults = nil },
			func(r Report) bool { return slices.Equal(r.Unexplained, []string{"d1"}) }},
		{"duplicate that a slow receiver does not explain", func(rec *Record, _ map[string]Told, _ *store.Audit) { rec.Faults = rec.Faults[1:] },
			func(r Report) bool { return slices.Equal(r.Unexplained, []string{"d1"}) }},
		{"duplicate before the kill", func(rec *Record, _ map[string]Told, _ *store.Audit) { rec.Faults[0].At = at(20) },
			func(r Report) bool { return slices.Equal(r.Unexplained, []string{"d1"}) }},
		{"older after newer", func(rec *Record, _ map[string]Told, _ *store.Audit) { rec.Arrivals[3].At = at(0) },
			func(r Report) bool { return len(r.Disorder) == 2 }},
		{"newer begun before the older was settled", func(rec *Record, _ map[string]Told, _ *store.Audit) {
			rec.Arrivals[3].At, rec.Arrivals[3].Status = at(1).Add(time.Millisecond), 503
		}, func(r Report) bool { return len(r.Disorder) == 1 }},
		{"request without an event", func(_ *Record, told map[string]Told, _ *store.Audit) { delete(told, "d2") },
			func(r Report) bool { return len(r.Unrecorded) == 1 }},
		{"more unknown requests than events that say so", func(_ *Record, told map[string]Told, _ *store.Audit) {
			told["d1"] = Told{Attempts: told["d1"].Attempts[1:]}
		},
			func(r Report) bool { return len(r.Unrecorded) == 1 }},
		{"recovered too late", func(rec *Record, told map[string]Told, _ *store.Audit) {
			rec.Arrivals[2].At, rec.Arrivals[3].At = at(30), at(31)
			told["d1"].Attempts[2].Began = at(30)
		}, func(r Report) bool { return r.Undisturbed.Max == 27*time.Second }},
		{"orphaned", func(_ *Record, _ map[string]Told, a *store.Audit) { a.Orphaned = 1 }, func(r Report) bool { return r.Orphaned == 1 }},
		{"not at rest", func(_ *Record, _ map[string]Told, a *store.Audit) { a.Open = 1 }, func(r Report) bool { return r.Open == 1 }},
		{"nothing was tried", func(rec *Record, _ map[string]Told, _ *store.Audit) { *rec = Record{} }, func(r Report) bool { return r.Accepted == 0 }},
	} {
		rec, told, audit := good()
		row.spoil(&rec, told, &audit)
		r := Judge(rec, told, audit)
		if r.Good() || !row.found(r) {
			t.Errorf("%s: judged %+v", row.name, r)
		}
	}
}

func attempt(event string, began int) TellAttempt {
	return TellAttempt{EventID: event, Target: "t", Began: at(began), Found: at(began)}
}

// A gate that keeps a delivery back is no slow recovery, nor is a second fault; that the delivery comes out at all is judged elsewhere.
func TestWhatIsNoSlowRecovery(t *testing.T) {
	t.Parallel()
	rec, told, audit := good()
	rec.Arrivals[2].At, rec.Arrivals[3].At = at(30), at(31)
	told["d1"].Attempts[2].Began = at(30)
	rec.Gated = map[string][]time.Time{"t": {at(20)}}
	if r := Judge(rec, told, audit); !r.Good() || r.Kept.Max != 27*time.Second || r.Undisturbed.N != 0 || r.Disturbed.N != 0 {
		t.Errorf("%+v", r)
	}
	rec.Gated, rec.Faults = nil, append(rec.Faults, Fault{"cut connections", at(12)})
	if r := Judge(rec, told, audit); !r.Good() || r.Disturbed.Max != 27*time.Second || r.Undisturbed.N != 0 || r.Kept.N != 0 {
		t.Errorf("%+v", r)
	}
}

// Beyond the limit is excused for a moment after a kill of Redis, and the report tells how often.
func TestCrowdAfterAKillOfRedisIsExcused(t *testing.T) {
	t.Parallel()
	rec, told, audit := good()
	rec.Arrivals[4].Beside = limit + 1
	rec.Faults = append(rec.Faults, Fault{"kill redis", at(59)})
	if r := Judge(rec, told, audit); !r.Good() || r.Gates.Excused != 1 || r.Gates.Beside != limit+1 {
		t.Errorf("%+v", r)
	}
}

// The same for the gates.
func TestJudgeFindsEachFaultOfAGate(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		spoil func(*Record, map[string]Told)
		found func(Gates) bool
	}{
		{"more at once than the limit", func(rec *Record, _ map[string]Told) { rec.Arrivals[4].Beside = limit + 1 },
			func(g Gates) bool { return len(g.Crowded) == 1 }},
		{"more at once, and the kill came later", func(rec *Record, _ map[string]Told) {
			rec.Arrivals[4].Beside = limit + 1
			rec.Faults = append(rec.Faults, Fault{"kill redis", at(61)})
		}, func(g Gates) bool { return len(g.Crowded) == 1 }},
		{"more at once after the kill of a worker: its place stays taken", func(rec *Record, _ map[string]Told) {
			rec.Arrivals[4].Beside = limit + 1
			rec.Faults = append(rec.Faults, Fault{"kill worker", at(59)})
		}, func(g Gates) bool { return len(g.Crowded) == 1 }},
		{"forgotten", func(_ *Record, told map[string]Told) {
			told["d4"] = Told{Status: dispatcher.StatusParked, Attempts: told["d4"].Attempts, Made: 2}
		}, func(g Gates) bool { return slices.Equal(g.Forgotten, []string{"d4"}) }},
		{"an attempt told that was no request", func(_ *Record, told map[string]Told) {
			burnt := attempt("e8", 21)
			burnt.Target = "ill"
			told["d4"] = Told{Attempts: append(told["d4"].Attempts, burnt), Made: 3}
		}, func(g Gates) bool { return len(g.Burnt) == 1 }},
		{"an attempt counted and not told", func(_ *Record, told map[string]Told) {
			told["d4"] = Told{Attempts: told["d4"].Attempts, Made: 3}
		}, func(g Gates) bool { return len(g.Burnt) == 1 }},
		{"interrupted by nothing", func(_ *Record, told map[string]Told) {
			lost := TellAttempt{EventID: "lost2", Began: at(21), Found: at(23), Interrupted: true}
			told["d4"] = Told{Attempts: append(told["d4"].Attempts, lost), Made: 3}
		}, func(g Gates) bool { return len(g.Untold) == 1 }},
		{"nothing was ever parked", func(rec *Record, _ map[string]Told) { rec.Parked = nil },
			func(g Gates) bool { return !g.tried() }},
	} {
		rec, told, audit := good()
		row.spoil(&rec, told)
		if r := Judge(rec, told, audit); r.Good() || !row.found(r.Gates) {
			t.Errorf("%s: judged %+v", row.name, r)
		}
	}
}
