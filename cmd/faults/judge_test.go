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
// that a kill explains.
func good() (Record, map[string]Told, store.Audit) {
	rec := Record{
		Accepted: []Accepted{{DeliveryID: "d1", Lane: "l", Version: 1}, {DeliveryID: "d2", Lane: "l", Version: 2}},
		Arrivals: []Arrival{
			{DeliveryID: "d1", EventID: "e1", Lane: "l", Version: 1, At: at(1), Status: 503},
			{DeliveryID: "d1", EventID: "e2", Lane: "l", Version: 1, At: at(2), Status: 200},
			{DeliveryID: "d1", EventID: "e3", Lane: "l", Version: 1, At: at(14), Status: 200},
			{DeliveryID: "d2", EventID: "e4", Lane: "l", Version: 2, At: at(15), Status: 200},
		},
		Faults: []Fault{{"kill worker", at(3)}, {"receiver slow", at(4)}},
	}
	told := map[string]Told{
		"d1": {Attempts: []TellAttempt{{"e1", at(1), false}, {"lost", at(2), true}, {"e3", at(14), false}}},
		"d2": {Attempts: []TellAttempt{{"e4", at(15), false}}},
	}
	return rec, told, store.Audit{Accepted: 2, Terminal: 2}
}

func TestJudgeOfAGoodRun(t *testing.T) {
	t.Parallel()
	r := Judge(good())
	if !r.Good() || r.Duplicates != 1 || r.Kills != 1 || r.Undisturbed.N != 1 || r.Undisturbed.Max != 11*time.Second {
		t.Errorf("%+v", r)
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
			rec.Accepted = append(rec.Accepted, Accepted{DeliveryID: "d3", Lane: "l", Version: 3})
		}, func(r Report) bool { return slices.Equal(r.Lost, []string{"d3"}) }},
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
