package dispatcher_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher"
)

func TestAdvance(t *testing.T) {
	t.Parallel()
	var (
		delivered = dispatcher.Verdict{Outcome: dispatcher.Delivered}
		refused   = dispatcher.Verdict{Outcome: dispatcher.Failed, Reason: "status_4xx", Ladder: dispatcher.LadderShort}
		broken    = dispatcher.Verdict{Outcome: dispatcher.Failed, Reason: "status_5xx", Ladder: dispatcher.LadderFull}
		aborted   = dispatcher.Verdict{Outcome: dispatcher.Failed, Reason: "aborted"}
		open      = dispatcher.Delivery{ID: "d", Status: dispatcher.StatusPending, NextTrigger: dispatcher.TriggerAutomatic,
			ClaimedAt: noon, NextAttemptAt: noon}
	)
	with := func(d dispatcher.Delivery, edit func(*dispatcher.Delivery)) dispatcher.Delivery {
		edit(&d)
		return d
	}
	third := with(open, func(d *dispatcher.Delivery) { d.Status, d.Attempts, d.Counted = dispatcher.StatusRetrying, 2, 2 })
	lone := with(open, func(d *dispatcher.Delivery) {
		d.Attempts, d.Counted, d.Lone, d.NextTrigger = 3, 3, true, dispatcher.TriggerManual
	})
	again := with(lone, func(d *dispatcher.Delivery) { d.WasDelivered = true })
	for _, row := range []struct {
		name string
		from dispatcher.Delivery
		v    dispatcher.Verdict
		code int
		want dispatcher.Delivery
	}{
		{"delivered at once", open, delivered, 200, dispatcher.Delivery{ID: "d", Status: dispatcher.StatusDelivered,
			StatusCode: 200, Attempts: 1, Counted: 1, WasDelivered: true, SettledAt: noon}},
		{"a failure is followed by the next delay", open, broken, 503, dispatcher.Delivery{ID: "d",
			Status: dispatcher.StatusRetrying, Reason: "status_5xx", StatusCode: 503, Attempts: 1, Counted: 1,
			NextAttemptAt: noon.Add(5 * time.Second)}},
		{"the third attempt is followed by the third delay", third, broken, 503, dispatcher.Delivery{ID: "d",
			Status: dispatcher.StatusRetrying, Reason: "status_5xx", StatusCode: 503, Attempts: 3, Counted: 3,
			NextAttemptAt: noon.Add(2 * time.Minute)}},
		{"the short ladder ends with the third", third, refused, 404, dispatcher.Delivery{ID: "d",
			Status: dispatcher.StatusFailed, Reason: "status_4xx", StatusCode: 404, Attempts: 3, Counted: 3, SettledAt: noon}},
		{"no ladder ends with the first", open, aborted, 500, dispatcher.Delivery{ID: "d",
			Status: dispatcher.StatusFailed, Reason: "aborted", StatusCode: 500, Attempts: 1, Counted: 1, SettledAt: noon}},
		{"success forgets the reason before", with(third, func(d *dispatcher.Delivery) { d.Reason, d.StatusCode = "status_5xx", 503 }),
			delivered, 204, dispatcher.Delivery{ID: "d", Status: dispatcher.StatusDelivered, StatusCode: 204,
				Attempts: 3, Counted: 3, WasDelivered: true, SettledAt: noon}},
		{"a lone attempt is not repeated", lone, broken, 503, dispatcher.Delivery{ID: "d", Status: dispatcher.StatusFailed,
			Reason: "status_5xx", StatusCode: 503, Attempts: 4, Counted: 4, Lone: true, SettledAt: noon}},
		{"a forced retry that fails takes nothing away", again, broken, 503, dispatcher.Delivery{ID: "d",
			Status: dispatcher.StatusDelivered, Reason: "status_5xx", StatusCode: 503, Attempts: 4, Counted: 4, Lone: true,
			WasDelivered: true, SettledAt: noon}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			row.want.NextTrigger = dispatcher.TriggerAutomatic // whatever triggered this one, the next comes by itself
			a := dispatcher.Attempt{Number: row.from.Attempts + 1, StatusCode: row.code}
			got := dispatcher.Advance(row.from, dispatcher.Retry{}, row.v, a, noon, 0)
			if !reflect.DeepEqual(got, row.want) {
				t.Errorf("\n got %+v\nwant %+v", got, row.want)
			}
		})
	}
}

func TestAdvanceUsesThePolicyOfTheNotification(t *testing.T) {
	t.Parallel()
	broken := dispatcher.Verdict{Outcome: dispatcher.Failed, Reason: "timeout", Ladder: dispatcher.LadderFull, RetryAfter: time.Hour}
	policy := dispatcher.Retry{MaxAttempts: 2, Schedule: durations(time.Minute)}
	d := dispatcher.Advance(dispatcher.Delivery{}, policy, broken, dispatcher.Attempt{Number: 1}, noon, 0.5)
	if want := noon.Add(time.Hour); d.Status != dispatcher.StatusRetrying || !d.NextAttemptAt.Equal(want) {
		t.Fatalf("%s until %v, want retrying until %v", d.Status, d.NextAttemptAt, want)
	}
	if d = dispatcher.Advance(d, policy, broken, dispatcher.Attempt{Number: 2}, noon, 0.5); d.Status != dispatcher.StatusFailed {
		t.Errorf("%s after the last attempt, want failed", d.Status)
	}
}
