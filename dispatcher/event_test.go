package dispatcher_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher"
)

func TestNewEventTellsTheAttempt(t *testing.T) {
	t.Parallel()
	d := dispatcher.Delivery{ID: "d1", Merchant: "acme", OrderID: "1001", OrderVersion: 7, Scope: []string{"cart"}}
	a := dispatcher.Attempt{
		ID: dispatcher.NewEventID(noon, d.Ref().Shard()), Number: 2, Trigger: dispatcher.TriggerManual, At: noon, Method: "POST",
		URL: "https://h/?t=******", HeaderNames: []string{"X-Key"}, StatusCode: 503, Body: []byte("caf\xe9 \xff"),
		Duration: 12345 * time.Microsecond, Sent: dispatcher.SentYes, Outcome: dispatcher.Failed, Reason: "status_5xx",
		WillRetry: true, NextAttemptAt: noon.Add(time.Minute),
	}
	e := dispatcher.NewEvent(d, a)
	if e.ID != a.ID.String() || e.Attempt != 2 || e.DurationMs != 12 || e.OrderVersion != 7 || e.DeliveryID != "d1" ||
		e.NextAttemptAt == nil || !e.NextAttemptAt.Equal(noon.Add(time.Minute)) || e.ResponseBody != "caf\uFFFD \uFFFD" {
		t.Errorf("%+v", e)
	}
	want := map[string]string{"webhook-id": "d1", "webhook-timestamp": "1774785600", "X-Tidings-Attempt": "2",
		"X-Tidings-Event": e.ID, "X-Tidings-Order": "1001", "X-Tidings-Order-Version": "7", "X-Key": dispatcher.Redacted}
	if !maps.Equal(e.Request.Headers, want) {
		t.Errorf("headers %v, want %v", e.Request.Headers, want)
	}
	// What was not sent had no headers.
	a.Sent, a.NextAttemptAt = dispatcher.SentNo, time.Time{}
	if e := dispatcher.NewEvent(d, a); e.Request.Headers != nil || e.NextAttemptAt != nil {
		t.Errorf("%+v", e)
	}
}

// An attempt that nobody recorded may have gone out, and is followed by another; a settlement without one is neither.
func TestEventsWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	d := dispatcher.Delivery{ID: "d1", Merchant: "acme", OrderID: "1001", Attempts: 2, NextTrigger: dispatcher.TriggerAutomatic}
	lost := dispatcher.NewEvent(d, interrupted(d, noon, noon.Add(time.Minute)))
	if lost.Sent != dispatcher.SentUnknown || lost.Reason != dispatcher.ReasonInterrupted || lost.Attempt != 3 || !lost.WillRetry ||
		!lost.Timestamp.Equal(noon.Add(time.Minute)) || lost.DurationMs != 60_000 || lost.Outcome != dispatcher.Failed || lost.Request.Headers != nil {
		t.Errorf("%+v", lost)
	}
	settled := dispatcher.NewEvent(d, d.Settlement(dispatcher.ReasonExpired, noon))
	if settled.Sent != dispatcher.SentNo || settled.Reason != dispatcher.ReasonExpired || settled.Attempt != 2 || settled.WillRetry ||
		settled.Outcome != dispatcher.Failed {
		t.Errorf("%+v", settled)
	}
}

func TestEventsJSONHasTheNamesOfTheContract(t *testing.T) {
	t.Parallel()
	next := noon
	text, err := json.Marshal(dispatcher.Event{AdapterID: "a", Reference: "r", StatusCode: 1, ResponseHeader: map[string]string{"a": "b"},
		ResponseBody: "b", Truncated: true, RemoteAddress: "a", Reason: "dns", NextAttemptAt: &next,
		Request: dispatcher.EventRequest{Method: "m", URL: "u", Headers: map[string]string{"a": "b"}}})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]json.RawMessage
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(`id timestamp merchant channel orderId orderVersion deliveryId notificationId adapterId reference
		scope attempt trigger request statusCode responseHeaders responseBody responseTruncated durationMs remoteAddress
		outcome reason sent willRetry nextAttemptAt`) // design.md §3, Event
	slices.Sort(want)
	if have := slices.Sorted(maps.Keys(got)); !slices.Equal(have, want) {
		t.Errorf("\n got %v\nwant %v", have, want)
	}
}

func TestStatusTerminal(t *testing.T) {
	t.Parallel()
	for status, want := range map[dispatcher.Status]bool{
		"pending": false, "waiting": false, "parked": false, "retrying": false,
		"delivered": true, "failed": true, "cancelled": true, "superseded": true, "expired": true,
	} {
		if status.Terminal() != want {
			t.Errorf("%s is terminal = %v", status, !want)
		}
	}
}

func TestDeliveryExpires(t *testing.T) {
	t.Parallel()
	d := dispatcher.Delivery{ExpiresAt: noon}
	if d.Expired(noon.Add(-1)) || !d.Expired(noon) || (dispatcher.Delivery{}).Expired(noon) {
		t.Error("a delivery expires at its time, not before, and without one never")
	}
}

func TestDeliveryInLane(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		d    dispatcher.Delivery
		want bool
	}{
		{dispatcher.Delivery{Ordering: dispatcher.OrderingStrict}, true},
		{dispatcher.Delivery{Ordering: dispatcher.OrderingLatest}, true},
		{dispatcher.Delivery{Ordering: dispatcher.OrderingNone}, false},
		{dispatcher.Delivery{Ordering: dispatcher.OrderingStrict, Lone: true}, false},
	} {
		if row.d.InLane() != row.want || row.d.Task().InLane != row.want {
			t.Errorf("%+v is in its lane = %v", row.d, row.d.InLane())
		}
	}
}

func interrupted(d dispatcher.Delivery, claimed, now time.Time) dispatcher.Attempt {
	d.ClaimedAt = claimed
	_, a := dispatcher.Interrupt(d, now)
	return a
}

// What keeps killing its workers is given up at last, and a delivery that waits for an attempt after its expiry is not
// kept waiting.
func TestInterruptGivesUpAtLast(t *testing.T) {
	t.Parallel()
	d := dispatcher.Delivery{Status: dispatcher.StatusPending, Merchant: "acme", OrderID: "1"}
	for n := range dispatcher.MaxInterruptions {
		d.ClaimedAt = noon
		if d, _ = dispatcher.Interrupt(d, noon.Add(time.Second)); d.Status.Terminal() || !d.ClaimedAt.IsZero() || d.Counted != 0 {
			t.Fatalf("after %d: %+v", n+1, d)
		}
	}
	d, a := dispatcher.Interrupt(d, noon)
	if d.Status != dispatcher.StatusFailed || a.WillRetry {
		t.Errorf("%+v %+v", d, a)
	}
}

func TestExpiryBeforeTheNextAttemptIsNow(t *testing.T) {
	t.Parallel()
	d := dispatcher.Delivery{Status: dispatcher.StatusPending, ExpiresAt: noon.Add(time.Minute)}
	v := dispatcher.JudgeAnswer(503, nil, noon)
	if got := dispatcher.Advance(d, dispatcher.Retry{}, v, dispatcher.Attempt{Number: 1}, noon, 0); got.Status != dispatcher.StatusRetrying {
		t.Errorf("5 s later it is not expired: %s", got.Status)
	}
	hour := dispatcher.Retry{Schedule: []dispatcher.Duration{dispatcher.Duration(time.Hour)}}
	if got := dispatcher.Advance(d, hour, v, dispatcher.Attempt{Number: 1}, noon, 0); got.Status != dispatcher.StatusExpired || !got.NextAttemptAt.IsZero() {
		t.Errorf("an hour later it is: %+v", got)
	}
}
