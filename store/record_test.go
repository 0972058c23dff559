package store_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

func TestAttemptRoundTrip(t *testing.T) {
	at := began.Add(1500 * time.Millisecond)
	full := dispatcher.Attempt{
		Number: 1, Trigger: dispatcher.TriggerManual, At: at, Method: "PUT", URL: "https://erp.example.com:8443/a?x=******",
		HeaderNames: []string{"X-Api-Key"}, StatusCode: 503, Header: map[string]string{"Retry-After": "5"},
		Body: []byte("busy & <b>"), Truncated: true, Duration: 1234567 * time.Microsecond, RemoteAddress: "192.0.2.7:443",
		Sent: dispatcher.SentUnknown, Outcome: dispatcher.Failed, Reason: dispatcher.ReasonStatus5xx, Detail: "what is missing", WillRetry: true,
		NextAttemptAt: at.Add(time.Minute),
	}
	// What is usual is not written; it must read back all the same.
	usual := dispatcher.Attempt{Number: 1, Trigger: dispatcher.TriggerAutomatic, At: at, Sent: dispatcher.SentYes, Outcome: dispatcher.Delivered}
	binary, long := full, full
	binary.Body = []byte{0xff, 0x00, '<'}                 // no UTF-8: kept as base64
	long.Body = []byte(strings.Repeat("an answer ", 300)) // long enough to be packed
	for name, want := range map[string]dispatcher.Attempt{"full": full, "usual": usual, "binary": binary, "long": long} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, h *house) {
				d := h.one(t, order("1"), dispatcher.OrderingStrict)
				held := h.claimed(t, d.Task())
				want := want
				want.ID = dispatcher.NewEventID(at, held.Ref().Shard())
				h.record(t, store.Move{From: held, To: held.Delivery, Attempt: &want})
				got, attempt, err := h.Event(t.Context(), "acme", want.ID.String())
				if err != nil || got.ID != d.ID {
					t.Fatalf("event of %s, %v", got.ID, err)
				}
				if !reflect.DeepEqual(attempt, want) {
					t.Errorf("\n got %+v\nwant %+v", attempt, want)
				}
			})
		})
	}
}

func TestLateRecordKeepsTheEventWhenItWasSent(t *testing.T) {
	for sent, kept := range map[dispatcher.Sent]bool{"yes": true, "unknown": true, "no": false} {
		t.Run(string(sent), func(t *testing.T) {
			each(t, func(t *testing.T, h *house) {
				all, _ := lane(t, h, "strict")
				held := h.claimed(t, all[0].Task())
				h.clock.advance(lease)
				h.deliver(t, all[0].Task(), retried) // by another worker

				move := h.attempt(held, delivered)
				move.Attempt.Sent = sent
				before := dump(t, h.plain)
				if moved := h.record(t, move); !moved.Late || moved.Next != "" {
					t.Errorf("moved: %+v", moved)
				}
				after := dump(t, h.plain)
				_, _, err := h.Event(t.Context(), "acme", move.Attempt.ID.String())
				if found := err == nil; found != kept {
					t.Errorf("event is there: %v (%v), want %v", found, err, kept)
				}
				// Besides the Event, behind all that was there, and its index members nothing may differ.
				for key, c := range after {
					switch at := strings.Index(c.text, string(move.Attempt.ID[:])); {
					case strings.Contains(key, "}:x:"):
						delete(after, key)
						delete(before, key)
					case at > 0:
						c.text = c.text[:at-len("00002a")]
						after[key] = c
					}
				}
				if diff := differences(before, after); diff != "" {
					t.Errorf("something else changed:\n%s", diff)
				}
				invariants(t, h.plain)
			})
		})
	}
}

func TestRecordOfWhatIsGone(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		d := h.one(t, order("1"), dispatcher.OrderingNone)
		move := h.attempt(h.claimed(t, d.Task()), delivered)
		h.record(t, move)
		for key := range dump(t, h.plain) {
			if strings.HasSuffix(key, "}:d:"+d.ID) {
				h.plain.Del(t.Context(), key) // as retention does
			}
		}
		h.unchanged(t, func() {
			if _, err := h.Record(t.Context(), move); !errors.Is(err, dispatcher.ErrNotFound) {
				t.Errorf("%v; want ErrNotFound", err)
			}
		})
	})
}

// expiring says which of the keys whose kind is given expire.
func expiring(t *testing.T, h *house, kind string) (expires, stays int) {
	t.Helper()
	for key, c := range dump(t, h.plain) {
		if strings.Contains(key, "}:"+kind+":") {
			if c.expires {
				expires++
			} else {
				stays++
			}
		}
	}
	return expires, stays
}

func TestExpiryComesWithTheLastSettledDeliveryOfTheChange(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		owed, _ := h.put(t, order("1"), status("created"), notification(t, "n1", "strict"), notification(t, "n2", "none"), notification(t, "n3", "latest"))
		for i, d := range owed {
			expect := func(when string, records, snapshots int) {
				t.Helper()
				if got, _ := expiring(t, h, "d"); got != records {
					t.Errorf("%s: %d records expire, want %d", when, got, records)
				}
				if got, _ := expiring(t, h, "c"); got != snapshots {
					t.Errorf("%s: %d snapshots expire, want %d", when, got, snapshots)
				}
				invariants(t, h.plain)
			}
			expect("before any", i, 0)
			h.deliver(t, d.Task(), retried)
			expect("after a failed attempt", i, 0)
			h.deliver(t, d.Task(), []dispatcher.Verdict{delivered, givenUp, delivered}[i])
			expect("after the last attempt", i+1, i/2)
		}
		for key := range dump(t, h.plain) {
			if strings.Contains(key, "}:c:") || strings.Contains(key, "}:d:") {
				if ttl := h.plain.PTTL(t.Context(), key).Val(); ttl > retention || ttl < retention-time.Hour {
					t.Errorf("%s expires in %s, want %s", key, ttl, retention)
				}
			}
		}
	})
}

func TestReopenKeepsRecordAndSnapshotUntilItSettlesAgain(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		owed, _ := h.put(t, order("1"), status("created"), notification(t, "n1", "strict"), notification(t, "n2", "strict"))
		for _, d := range owed {
			h.deliver(t, d.Task(), givenUp)
		}
		for round := range 3 {
			for _, d := range owed {
				held := h.read(t, d.ID)
				if err := h.Reopen(t.Context(), held, again(held.Delivery, h.clock.Now())); err != nil {
					t.Fatal(err)
				}
				h.unchanged(t, func() {
					if err := h.Reopen(t.Context(), held, again(again(held.Delivery, h.clock.Now()), h.clock.Now())); !errors.Is(err, dispatcher.ErrConflict) {
						t.Errorf("a second reopening: %v; want ErrConflict", err)
					}
				})
				invariants(t, h.plain)
			}
			if expires, stays := expiring(t, h, "d"); expires != 0 || stays != 2 {
				t.Errorf("round %d: %d records expire while they are open", round, expires)
			}
			for i, d := range owed {
				now := h.read(t, d.ID)
				moved, attempt := h.deliver(t, now.Task(), []dispatcher.Verdict{delivered, givenUp}[i])
				if moved.Next != "" || attempt.Trigger != dispatcher.TriggerManual {
					t.Errorf("round %d: released %q, trigger %s", round, moved.Next, attempt.Trigger)
				}
				invariants(t, h.plain)
			}
			if expires, stays := expiring(t, h, "c"); expires != 1 || stays != 0 {
				t.Errorf("round %d: the snapshot stays though all is settled", round)
			}
		}
		first := h.read(t, owed[0].ID)
		if first.Attempts != 4 || first.Generation != 4 || !first.WasDelivered {
			t.Errorf("after three manual retries: %+v", first.Delivery)
		}
	})
}

// A manual attempt of a settled delivery stands outside its lane: it neither waits for newer ones nor releases any.
func TestReopenedDeliveryIsOutsideItsLane(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		all, _ := lane(t, h, "strict")
		h.deliver(t, all[0].Task(), givenUp)
		held := h.read(t, all[0].ID)
		if err := h.Reopen(t.Context(), held, again(held.Delivery, h.clock.Now())); err != nil {
			t.Fatal(err)
		}
		if c := h.claim(t, all[1].Task()); c.State != store.Claimed {
			t.Errorf("the head of the lane: %s", c.State)
		}
		if moved, _ := h.deliver(t, h.read(t, all[0].ID).Task(), delivered); moved.Next != "" {
			t.Errorf("it released %s", moved.Next)
		}
		invariants(t, h.plain)
	})
}

// The sweep's way: an open delivery under a new generation; the task of the old one finds itself stale.
func TestReopenOfAnOpenDelivery(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		d := h.one(t, order("1"), dispatcher.OrderingStrict)
		held := h.read(t, d.ID)
		to := held.Delivery
		to.Generation++
		if err := h.Reopen(t.Context(), held, to); err != nil {
			t.Fatal(err)
		}
		if c := h.claim(t, d.Task()); c.State != store.Stale {
			t.Errorf("the old task: %s", c.State)
		}
		h.deliver(t, to.Task(), delivered)
		invariants(t, h.plain)
	})
}

func TestReopenNeedsTheSnapshot(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		d := h.both(t, order("1"))[0]
		h.deliver(t, d.Task(), givenUp)
		held := h.read(t, d.ID)
		h.dropSnapshot(t, d) // as retention does
		h.unchanged(t, func() {
			if err := h.Reopen(t.Context(), held, again(held.Delivery, h.clock.Now())); !errors.Is(err, dispatcher.ErrPayloadGone) {
				t.Errorf("%v; want ErrPayloadGone", err)
			}
		})
	})
}

func TestStatusThatIsNotStoredIsRefused(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		d := h.one(t, order("1"), dispatcher.OrderingStrict)
		held := h.read(t, d.ID)
		to := held.Delivery
		to.Status = dispatcher.StatusWaiting // told to merchants, never kept
		h.unchanged(t, func() {
			if _, err := h.Record(t.Context(), store.Move{From: held, To: to}); err == nil {
				t.Error("waiting was stored")
			}
		})
	})
}
