package store_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
	"github.com/tidings/tidings/store/storetest"
)

// Whatever happens in whatever order, and with every answer of a repeatable script lost once, the keyspace stays whole.
func TestInvariantsHoldInAnyOrderOfThings(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, rdb *redis.Client) {
		t.Parallel()
		rapid.Check(t, func(rt *rapid.T) {
			if err := rdb.FlushDB(rt.Context()).Err(); err != nil {
				rt.Fatal(err)
			}
			var doubled atomic.Int64
			h := newHouse(rt, rdb, lostAnswer{t: rt, look: rdb, doubled: &doubled})
			defer func() { _ = h.rdb.Close() }()
			m := &machine{house: h, deleted: map[string]bool{}}
			rt.Repeat(map[string]func(*rapid.T){
				"": func(rt *rapid.T) {
					invariants(rt, rdb)
					h.clock.advance(time.Millisecond) // no two steps at one time: a due time then names its step
				},
				"change":              m.change,
				"change too":          m.change, // often enough that lanes grow
				"add notification":    m.addNotification,
				"remove notification": m.removeNotification,
				"claim":               m.claimAny,
				"claim too":           m.claimAny,
				"record":              m.recordAny,
				"record too":          m.recordAny,
				"settle":              m.settleAny,
				"reopen":              m.reopenAny,
				"delete order":        m.deleteOrder,
				"erase":               m.erase,
				"time passes":         m.pass,
				"renew and defer":     m.renew,
			})
		})
	})
}

// machine drives a Store as the two ends of the queue do, and worse: held deliveries are kept and used when it is late.
type machine struct {
	*house
	notifications int
	deliveries    []string
	held          []store.Held    // claimed at some time, not recorded by that claim
	deleted       map[string]bool // deliveries of deleted orders
}

var modelOrders = []dispatcher.OrderRef{
	{Merchant: "acme", OrderID: "A:1"}, {Merchant: "acme", OrderID: "B"}, {Merchant: "other", OrderID: "B"},
}

func anyOrder(rt *rapid.T) dispatcher.OrderRef {
	return rapid.SampledFrom(modelOrders).Draw(rt, "order")
}

func (m *machine) anyDelivery(rt *rapid.T) store.Held {
	if len(m.deliveries) == 0 {
		rt.Skip("no deliveries yet")
	}
	// A window at the end: most old ones have settled, and settling is final.
	last := m.deliveries[max(0, len(m.deliveries)-12):]
	return m.read(rt, rapid.SampledFrom(last).Draw(rt, "delivery"))
}

func (m *machine) fresh(rt *rapid.T) dispatcher.Notification {
	m.notifications++
	ordering := rapid.SampledFrom([]dispatcher.Ordering{"strict", "latest", "none"}).Draw(rt, "ordering")
	n := notification(rt, fmt.Sprintf("n%d", m.notifications), ordering)
	rule := rapid.SampledFrom([]string{`{"state":["*"]}`, `{"state":["s1"],"payment":true}`, `"/payments"`}).Draw(rt, "scope")
	n.Scope = parseScope(rt, rule)
	n.AdapterID = rapid.SampledFrom([]string{"", "erp", "wms"}).Draw(rt, "adapter")
	n.Reference = rapid.SampledFrom([]string{"", "export"}).Draw(rt, "reference")
	return n
}

func (m *machine) change(rt *rapid.T) {
	ref := anyOrder(rt)
	document := fmt.Sprintf(`{"state":{"currentStatus":"s%d"},"payments":[%d]}`,
		rapid.IntRange(0, 3).Draw(rt, "status"), rapid.IntRange(0, 3).Draw(rt, "payment"))
	var put []dispatcher.Notification
	if len(m.load(rt, ref).Notifications) == 0 {
		put = append(put, m.fresh(rt), m.fresh(rt))
	}
	owed, _ := m.put(rt, ref, document, put...)
	for _, d := range owed {
		m.deliveries = append(m.deliveries, d.ID)
	}
}

func (m *machine) addNotification(rt *rapid.T) {
	state := m.load(rt, anyOrder(rt))
	if len(state.Notifications) >= 4 {
		rt.Skip("enough of them")
	}
	m.commit(rt, store.Commit{State: state, Channel: "web", Put: []dispatcher.Notification{m.fresh(rt)}})
}

func (m *machine) removeNotification(rt *rapid.T) {
	ref := anyOrder(rt)
	state := m.load(rt, ref)
	if len(state.Notifications) == 0 {
		rt.Skip("none to remove")
	}
	id := rapid.SampledFrom(state.Notifications).Draw(rt, "notification").ID
	m.commit(rt, store.Commit{State: state, Remove: []string{id}})
	if rapid.Bool().Draw(rt, "the process dies here") {
		return
	}
	open, err := m.OpenDeliveries(rt.Context(), ref)
	if err != nil {
		rt.Fatal(err)
	}
	for _, d := range open {
		if d.NotificationID == id && d.ClaimedAt.IsZero() {
			m.settle(rt, d)
		}
	}
}

func (m *machine) settle(rt *rapid.T, held store.Held) {
	if _, err := m.Settle(rt.Context(), held, dispatcher.StatusCancelled, dispatcher.ReasonCancelled); err != nil {
		rt.Fatal(err)
	}
}

func (m *machine) claimAny(rt *rapid.T) {
	before := m.anyDelivery(rt)
	task := before.Task()
	task.Generation -= rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(rt, "generations behind")
	c := m.claim(rt, task)
	if c.State != store.Claimed {
		return
	}
	if before.Status.Terminal() || task.Generation != before.Generation {
		rt.Errorf("claimed %s in status %s, generation %d by a task of %d", before.ID, before.Status, before.Generation, task.Generation)
	}
	if c.Lost.IsZero() != before.ClaimedAt.IsZero() {
		rt.Errorf("%s was claimed at %v; the next claim says lost at %v", before.ID, before.ClaimedAt, c.Lost)
	}
	m.held = append(m.held, c.Held)
}

func (m *machine) recordAny(rt *rapid.T) {
	if len(m.held) == 0 {
		rt.Skip("nothing is claimed")
	}
	at := rapid.IntRange(0, len(m.held)-1).Draw(rt, "claim")
	held := m.held[at]
	if !rapid.Bool().Draw(rt, "and again later") {
		m.held = append(m.held[:at], m.held[at+1:]...)
	}
	verdict := rapid.SampledFrom([]dispatcher.Verdict{delivered, retried, givenUp}).Draw(rt, "verdict")
	move := m.attempt(held, verdict)
	move.Attempt.Sent = rapid.SampledFrom([]dispatcher.Sent{"yes", "unknown", "no"}).Draw(rt, "sent")
	if rapid.Bool().Draw(rt, "and follows its lane") {
		move.Follow = store.Follow{At: m.clock.Now(), Lease: lease}
	}
	now := m.read(rt, held.ID)
	moved := m.record(rt, move)
	if moved.Followed() {
		m.held = append(m.held, m.taken(rt, moved).Held)
	}
	// A writer whose claim is no longer the last word must be told so.
	if untouched := now.ClaimedAt.Equal(held.ClaimedAt) && now.Generation == held.Generation && !now.Status.Terminal(); moved.Late && untouched &&
		now.Attempts == held.Attempts && now.ClaimedAt.Equal(m.lastClaim(held)) {
		rt.Errorf("%s was moved by nobody, and yet the record is late", held.ID)
	}
}

// lastClaim is when the newest claim was made among those still held.
func (m *machine) lastClaim(of store.Held) time.Time {
	last := of.ClaimedAt
	for _, h := range m.held {
		if h.ID == of.ID && h.ClaimedAt.After(last) {
			last = h.ClaimedAt
		}
	}
	return last
}

func (m *machine) settleAny(rt *rapid.T) {
	held := m.anyDelivery(rt)
	if held.Status.Terminal() || !held.ClaimedAt.IsZero() {
		rt.Skip("settled, or in flight")
	}
	m.settle(rt, held)
}

func (m *machine) reopenAny(rt *rapid.T) {
	held := m.anyDelivery(rt)
	if !held.Status.Terminal() && !held.ClaimedAt.IsZero() {
		rt.Skip("in flight")
	}
	err := m.Reopen(rt.Context(), held, again(held.Delivery, m.clock.Now()))
	// A snapshot serves all deliveries of its change, and goes with the first that is erased.
	if err != nil && (!m.deleted[held.ID] || !errors.Is(err, dispatcher.ErrPayloadGone)) {
		rt.Fatal(err)
	}
	if err == nil && held.Erased {
		rt.Errorf("%s is open again after its erasure", held.ID)
	}
}

func (m *machine) deleteOrder(rt *rapid.T) {
	state := m.load(rt, anyOrder(rt))
	if !state.Known() {
		rt.Skip("unknown order")
	}
	for _, id := range m.deliveries {
		if m.read(rt, id).Ref() == state.Order.Ref() {
			m.deleted[id] = true
		}
	}
	if err := m.DeleteOrder(rt.Context(), state); err != nil {
		rt.Fatal(err)
	}
}

func (m *machine) erase(rt *rapid.T) {
	left, err := m.Erase(rt.Context())
	if err != nil {
		rt.Fatal(err)
	}
	unfinished := 0
	for key, c := range dump(rt, m.plain) {
		if strings.HasSuffix(key, "}:erase") {
			unfinished += len(c.set)
		}
	}
	if left != unfinished {
		rt.Errorf("Erase says that %d are unfinished, Redis remembers %d", left, unfinished)
	}
}

func (m *machine) pass(rt *rapid.T) {
	m.clock.advance(rapid.SampledFrom([]time.Duration{time.Millisecond, grace, lease + time.Second, time.Hour}).Draw(rt, "time"))
}

func (m *machine) renew(rt *rapid.T) {
	held := m.anyDelivery(rt)
	if err := m.Renew(rt.Context(), lease, held.ID); err != nil {
		rt.Fatal(err)
	}
	if err := m.Defer(rt.Context(), held.ID, m.clock.Now().Add(grace)); err != nil {
		rt.Fatal(err)
	}
}
