package store_test

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
	"github.com/tidings/tidings/store/storetest"
)

// told is what the model remembers of every Event.
type told struct {
	d dispatcher.Delivery
	a dispatcher.Attempt
}

func (e told) id() string { return e.a.ID.String() }

// history fills a store with some hundred Events of three merchants and returns them newest first.
func history(t *testing.T, h *house, orders int) []told {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	var all []told
	for i := range orders {
		ref := dispatcher.OrderRef{Merchant: []string{"acme", "acme", "other"}[i%3], OrderID: fmt.Sprintf("order-%d", i)}
		if i == 5 {
			ref.OrderID = "order-3" // another merchant's order of the same id
		}
		state := h.load(t, ref)
		state.Order.Channel = []string{"web", "pos"}[rng.IntN(2)]
		var put []dispatcher.Notification
		for n := range 1 + rng.IntN(3) {
			note := notification(t, fmt.Sprintf("n%d", n), "none") // ids are those of an order, others have the same
			note.AdapterID, note.Reference = []string{"", "erp", "wms"}[rng.IntN(3)], []string{"", "export", "stock"}[rng.IntN(3)]
			note.Scope = parseScope(t, []string{`{"state":["*"]}`, `{"state":["created"],"payment":true}`, `"/payments"`}[rng.IntN(3)])
			put = append(put, note)
		}
		document := fmt.Sprintf(`{"state":{"currentStatus":%q},"payments":[1]}`, []string{"created", "paid"}[rng.IntN(2)])
		c := h.planned(t, state, document, put...)
		if _, err := h.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		for _, d := range c.Deliveries {
			for range rng.IntN(4) {
				all = append(all, h.tell(t, rng, d))
			}
		}
	}
	slices.SortFunc(all, func(a, b told) int { return cmp.Compare(b.id(), a.id()) })
	return all
}

// tell records one Event of a delivery, whatever became of it.
func (h *house) tell(t *testing.T, rng *rand.Rand, d dispatcher.Delivery) told {
	t.Helper()
	h.clock.advance([]time.Duration{0, 0, 100 * time.Microsecond, time.Millisecond, time.Second}[rng.IntN(5)])
	held := h.read(t, d.ID)
	now := h.clock.Now()
	a := dispatcher.Attempt{
		ID: dispatcher.NewEventID(now, d.Ref().Shard()), Number: 1, Trigger: "automatic", At: now, Method: "POST", Sent: "yes",
		URL: []string{"https://erp.example.com/a", "https://erp.example.com:8443/a?b=******", "http://10.0.0.1", "https://ERP.example.com.:0443?c"}[rng.IntN(4)],
	}
	switch rng.IntN(5) {
	case 0, 1:
		a.Outcome, a.StatusCode = dispatcher.Delivered, []int{200, 204}[rng.IntN(2)]
	case 2:
		a.Outcome, a.Reason, a.StatusCode = dispatcher.Failed, dispatcher.ReasonStatus5xx, []int{500, 503}[rng.IntN(2)]
	case 3:
		a.Outcome, a.Reason, a.StatusCode = dispatcher.Failed, dispatcher.ReasonStatus4xx, 404
	case 4:
		a.Outcome, a.Reason, a.Sent = dispatcher.Failed, dispatcher.ReasonTimeout, dispatcher.SentUnknown
	}
	h.record(t, store.Move{From: held, To: held.Delivery, Attempt: &a})
	return told{held.Delivery, a}
}

// filters lists for every filter each value that occurs, and one that does not; each sets one field of a query.
func filters(events []told) map[string][]func(*store.Query) {
	all := map[string][]func(*store.Query){}
	text := func(name string, set func(*store.Query, string), of func(told) []string) {
		values := map[string]bool{"nothing has this": true}
		for _, e := range events {
			for _, v := range of(e) {
				values[v] = true
			}
		}
		delete(values, "")
		for _, v := range slices.Sorted(maps.Keys(values)) {
			all[name] = append(all[name], func(q *store.Query) { set(q, v) })
		}
	}
	one := func(of func(told) string) func(told) []string {
		return func(e told) []string { return []string{of(e)} }
	}
	text("order", func(q *store.Query, v string) { q.OrderID = v }, one(func(e told) string { return e.d.OrderID }))
	text("scope", func(q *store.Query, v string) { q.Scope = v }, func(e told) []string { return e.d.Scope })
	text("notification", func(q *store.Query, v string) { q.NotificationID = v }, one(func(e told) string { return e.d.NotificationID }))
	text("delivery", func(q *store.Query, v string) { q.DeliveryID = v }, one(func(e told) string { return e.d.ID }))
	text("adapter", func(q *store.Query, v string) { q.AdapterID = v }, one(func(e told) string { return e.d.AdapterID }))
	text("reference", func(q *store.Query, v string) { q.Reference = v }, one(func(e told) string { return e.d.Reference }))
	text("channel", func(q *store.Query, v string) { q.Channel = v }, one(func(e told) string { return e.d.Channel }))
	text("target", func(q *store.Query, v string) { q.Target = v }, one(targetOf))
	text("outcome", func(q *store.Query, v string) { q.Outcome = dispatcher.Outcome(v) }, one(func(e told) string { return string(e.a.Outcome) }))
	text("reason", func(q *store.Query, v string) { q.Reason = dispatcher.Reason(v) }, one(func(e told) string { return string(e.a.Reason) }))
	text("status", func(q *store.Query, v string) { q.StatusCode = v }, func(e told) []string {
		return []string{fmt.Sprint(e.a.StatusCode), "2xx", "3xx", "4xx", "5xx"}
	})
	for i := 0; i < len(events); i += 1 + len(events)/10 {
		at := events[i].a.ID.Time()
		for _, edge := range []time.Duration{0, time.Millisecond, 300 * time.Microsecond} { // an API takes more than milliseconds
			all["from"] = append(all["from"], func(q *store.Query) { q.From = at.Add(edge) })
			all["to"] = append(all["to"], func(q *store.Query) { q.To = at.Add(edge) })
		}
	}
	return all
}

func targetOf(e told) string {
	return map[string]string{
		"https://erp.example.com/a": "https://erp.example.com:443", "http://10.0.0.1": "http://10.0.0.1:80",
		"https://erp.example.com:8443/a?b=******": "https://erp.example.com:8443", "https://ERP.example.com.:0443?c": "https://erp.example.com:443",
	}[e.a.URL]
}

// answers is the query answered by looking at every Event.
func answers(events []told, q store.Query) (ids []string) {
	is := func(want, have string) bool { return want == "" || want == have }
	for _, e := range events {
		at, code := e.a.ID.Time(), fmt.Sprintf("%03d", e.a.StatusCode)
		if e.d.Merchant == q.Merchant && is(q.OrderID, e.d.OrderID) && is(q.NotificationID, e.d.NotificationID) && is(q.DeliveryID, e.d.ID) &&
			is(q.AdapterID, e.d.AdapterID) && is(q.Reference, e.d.Reference) && is(q.Channel, e.d.Channel) &&
			(q.Scope == "" || slices.Contains(e.d.Scope, q.Scope)) && is(q.Target, targetOf(e)) &&
			is(string(q.Outcome), string(e.a.Outcome)) && is(string(q.Reason), string(e.a.Reason)) &&
			(is(q.StatusCode, fmt.Sprint(e.a.StatusCode)) || q.StatusCode == code[:1]+"xx") &&
			(q.From.IsZero() || !at.Before(q.From)) && (q.To.IsZero() || at.Before(q.To)) {
			ids = append(ids, e.id())
		}
	}
	return ids
}

// pages reads a query to its end by cursor; between, if not nil, runs between the pages.
func (h *house) pages(t *testing.T, q store.Query, between func()) (ids []string) {
	t.Helper()
	for {
		page, err := h.Events(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Entries) > q.Limit || page.Next != nil && len(page.Entries) < q.Limit { // nothing here is so rare
			t.Errorf("a page of %d with limit %d, next=%v", len(page.Entries), q.Limit, page.Next)
		}
		for _, e := range page.Entries {
			ids = append(ids, e.Attempt.ID.String())
		}
		if page.Next == nil {
			return ids
		}
		q.Before = page.Next
		if between != nil {
			between()
		}
	}
}

// offsets reads a query to its end by offset.
func (h *house) offsets(t *testing.T, q store.Query) (ids []string, total int64) {
	t.Helper()
	for {
		entries, n, err := h.CountEvents(t.Context(), q, len(ids))
		if err != nil {
			t.Fatal(err)
		}
		if total = n; len(entries) == 0 {
			return ids, total
		}
		for _, e := range entries {
			ids = append(ids, e.Attempt.ID.String())
		}
	}
}

func (h *house) agrees(t *testing.T, events []told, q store.Query) {
	t.Helper()
	want := answers(events, q)
	if got := h.pages(t, q, nil); !slices.Equal(got, want) {
		t.Errorf("by cursor %+v:\n got %v\nwant %v", q, got, want)
	}
	q.Limit = 25
	got, total := h.offsets(t, q)
	if !slices.Equal(got, want) || total != int64(len(want)) {
		t.Errorf("by offset %+v: total %d, want %d\n got %v\nwant %v", q, total, len(want), got, want)
	}
}

func TestEveryFilterAlone(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		events := history(t, h, 120)
		if len(events) < 200 {
			t.Fatalf("only %d events", len(events))
		}
		h.agrees(t, events, store.Query{Merchant: "acme", Limit: 7})
		h.agrees(t, events, store.Query{Merchant: "other", Limit: 7})
		h.agrees(t, events, store.Query{Merchant: "nobody", Limit: 7})
		for name, values := range filters(events) {
			if len(values) < 2 {
				t.Errorf("filter %s has %d values", name, len(values))
			}
			for i, set := range values {
				if i%max(1, len(values)/5) != 0 {
					continue
				}
				q := store.Query{Merchant: "acme", Limit: 50}
				set(&q)
				h.agrees(t, events, q)
			}
		}
	})
}

func TestFiltersCombined(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		events := history(t, h, 120)
		possible := filters(events)
		names := slices.Sorted(maps.Keys(possible))
		rng := rand.New(rand.NewPCG(3, 4))
		found := 0
		for range 60 {
			q := store.Query{Merchant: []string{"acme", "other"}[rng.IntN(2)], Limit: 1 + rng.IntN(50)}
			for range 2 + rng.IntN(3) {
				values := possible[names[rng.IntN(len(names))]]
				values[rng.IntN(len(values))](&q)
			}
			h.agrees(t, events, q)
			if len(answers(events, q)) > 0 {
				found++
			}
		}
		if found < 12 { // else they show only that nothing is nothing
			t.Errorf("only %d of the combinations find anything", found)
		}
	})
}

func TestPagesGiveEveryEventOnceThoughOthersArrive(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		events := history(t, h, 45)
		rng := rand.New(rand.NewPCG(5, 6))
		for limit := 1; limit <= 7; limit++ {
			for _, q := range []store.Query{
				{Merchant: "acme"}, {Merchant: "acme", Outcome: dispatcher.Failed}, {Merchant: "acme", StatusCode: "2xx"},
				{Merchant: "acme", AdapterID: "erp", Channel: "web"}, {Merchant: "acme", OrderID: events[len(events)/2].d.OrderID},
			} {
				q.Limit = limit
				want := answers(events, q)
				h.clock.advance(time.Second) // what arrives is newer than what is there
				var arrived []told
				got := h.pages(t, q, func() {
					if len(arrived) < 3 {
						arrived = append(arrived, h.tell(t, rng, events[rng.IntN(len(events))].d))
					}
				})
				if !slices.Equal(got, want) {
					t.Errorf("limit %d, %+v:\n got %v\nwant %v", limit, q, got, want)
				}
				slices.Reverse(arrived)
				events = append(arrived, events...)
				slices.SortFunc(events, func(a, b told) int { return cmp.Compare(b.id(), a.id()) })
			}
		}
	})
}

func TestEventById(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		d := h.one(t, order("1"), dispatcher.OrderingStrict)
		_, attempt := h.deliver(t, d.Task(), delivered)
		id := attempt.ID.String()
		held, got, err := h.Event(t.Context(), "acme", id)
		if err != nil || held.ID != d.ID || got.ID != attempt.ID || got.StatusCode != 200 {
			t.Fatalf("%+v of %s, %v", got, held.ID, err)
		}
		for what, ask := range map[string][2]string{
			"another merchant's":            {"other", id},
			"nobody's":                      {"", id},
			"unknown, of the same shard":    {"acme", dispatcher.NewEventID(h.clock.Now(), order("1").Shard()).String()},
			"unknown, of another shard":     {"acme", dispatcher.NewEventID(h.clock.Now(), (order("1").Shard()+1)%dispatcher.Shards).String()},
			"the same shard by modulo only": {"acme", id[:34] + fmt.Sprintf("%02x", order("1").Shard()+dispatcher.Shards)},
			"empty":                         {"acme", ""},
			"no dashes":                     {"acme", strings.ReplaceAll(id, "-", "")},
			"not hexadecimal":               {"acme", "z" + id[1:]},
			"too long":                      {"acme", id + "0"},
			"a delivery's id":               {"acme", d.ID},
		} {
			if _, _, err := h.Event(t.Context(), ask[0], ask[1]); !errors.Is(err, dispatcher.ErrNotFound) || errors.Is(err, dispatcher.ErrUnavailable) {
				t.Errorf("%s: %v; want ErrNotFound", what, err)
			}
		}
	})
}

// Counting by looking has an end: then it is said, not guessed. Not on miniredis, which sorts the whole index anew for
// each of the 200 pages: half a minute.
func TestCountingTooMany(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.Server(t))
	defer func() { _ = h.rdb.Close() }()
	d := h.one(t, order("1"), dispatcher.OrderingNone)
	_, attempt := h.deliver(t, d.Task(), retried)
	key := "td{s" + shardOf("1") + "}:"
	first := h.plain.Get(t.Context(), key+"d:"+d.ID).Val()
	at := strings.Index(first, string(attempt.ID[:]))
	if at < 0 {
		t.Fatalf("%q", first)
	}
	const each = 100 // Events of a delivery
	record, size, packed := first[:at-6], first[at-6:at], first[at+16:]
	more := func(n int) {
		read(t, h.plain, func(p redis.Pipeliner) {
			var raw []byte
			for i := range n { // as Record writes them, but many at once
				if i%each == 0 {
					id := dispatcher.NewEventID(h.clock.Now(), 0)
					raw, _ = hex.DecodeString(d.ID[:2] + hex.EncodeToString(id[1:]))
					p.Set(t.Context(), key+"d:"+hex.EncodeToString(raw), record, 0)
				}
				id := dispatcher.NewEventID(h.clock.Now(), order("1").Shard())
				p.Append(t.Context(), key+"d:"+hex.EncodeToString(raw), size+string(id[:])+packed)
				p.ZAdd(t.Context(), key+"x:acme:a:", redis.Z{Member: string(id[:]) + string(raw)})
			}
		})
	}
	looking := store.Query{Merchant: "acme", StatusCode: "5xx", Limit: 3}
	more(19_999)
	if entries, total, err := h.CountEvents(t.Context(), looking, 0); err != nil || total != 20_000 || len(entries) != 3 {
		t.Errorf("the most that is counted: %d entries of %d, %v", len(entries), total, err)
	}
	more(1)
	if _, _, err := h.CountEvents(t.Context(), looking, 0); !errors.Is(err, store.ErrTooMany) {
		t.Errorf("one more: %v; want ErrTooMany", err)
	}
	if _, total, err := h.CountEvents(t.Context(), store.Query{Merchant: "acme", Limit: 3}, 20_000); err != nil || total != 20_001 {
		t.Errorf("counted from its index: %d, %v", total, err)
	}
}

// Who looks at many Events asks for pages of many shards at once, not for each page of each shard by itself.
func TestLookingAtManyTakesFewRoundTrips(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const orders, systems = 150, 5
		for i := range orders {
			var put []dispatcher.Notification
			for system := range systems {
				put = append(put, notification(t, fmt.Sprintf("%d-%d", i, system), "none"))
			}
			_, ready := h.put(t, order(fmt.Sprint(i)), status("created"), put...)
			for _, task := range ready {
				h.clock.advance(time.Millisecond)
				h.record(t, h.attempt(h.claimed(t, task), delivered))
			}
		}
		asked := &counter{}
		reader := newHouse(t, h.plain, asked)
		page, err := h.Events(t.Context(), store.Query{Merchant: "acme", Limit: 100})
		if err != nil || len(page.Entries) != 100 || page.Next == nil {
			t.Fatalf("%d events, next %v, %v", len(page.Entries), page.Next, err)
		}
		found, err := reader.Events(t.Context(), store.Query{Merchant: "acme", StatusCode: "4xx", Limit: 10})
		if err != nil || len(found.Entries) != 0 {
			t.Fatalf("%d events, %v", len(found.Entries), err)
		}
		if n := asked.trips.Load(); n > 30 {
			t.Errorf("looking at %d took %d round trips", orders*systems, n)
		}
	})
}
