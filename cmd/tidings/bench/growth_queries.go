package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// QueryReport tells how long it takes to find Events among many, over HTTP, one query at a time.
type QueryReport struct {
	Events  int         `json:"events"`
	Memory  float64     `json:"redisBytesPerEvent"`      // with all that belongs to it: order, notifications, delivery, snapshot, indexes
	Filled  float64     `json:"eventsRecordedPerSecond"` // while they were made
	Queries []QueryTime `json:"queries"`
}

// QueryTime is how long one kind of query takes.
type QueryTime struct {
	Query string `json:"query"`
	Found int    `json:"found"` // Events on a page
	Latency
}

const (
	queryTimes   = 200     // that each is asked; of few Events a tenth as often as there are Events
	deepest      = 100_000 // Events that are leafed over before a deep page is asked for
	rewritePause = 100 * time.Millisecond
	rewriteWait  = 5 * time.Minute
)

// queries makes the Events on a fresh stand, and asks for them.
func queries(ctx context.Context, cfg Config, events int) (*QueryReport, error) {
	fmt.Fprintf(cfg.Progress, "queries: making %d Events\n", events)
	s, err := newStand(ctx, cfg, parts{redis: true, role: roleAPI})
	if err != nil {
		return nil, err
	}
	defer s.close()
	f, closer, err := newFiller(s)
	if err != nil {
		return nil, err
	}
	defer closer()
	before, err := s.usage(ctx)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	made, orders, err := f.fill(ctx, events)
	if err != nil {
		return nil, err
	}
	r := &QueryReport{Events: made, Filled: ratio(float64(made), time.Since(began).Seconds())}
	if err := s.rewritten(ctx); err != nil {
		return nil, err
	}
	after, err := s.usage(ctx)
	if err != nil {
		return nil, err
	}
	r.Memory = (after.Memory - before.Memory) / float64(made)
	return r, s.ask(ctx, r, orders)
}

// rewritten waits until Redis has rewritten its append-only file, if it does: that it begins to is a matter of how much
// was written just before.
func (s *stand) rewritten(ctx context.Context) error {
	for deadline := time.Now().Add(rewriteWait); time.Now().Before(deadline); {
		info, err := s.rdb.InfoMap(ctx, "persistence").Result()
		if err != nil {
			return fmt.Errorf("ask Redis whether it rewrites its file: %w", err)
		}
		if p := info["Persistence"]; p["aof_rewrite_in_progress"] == "0" && p["aof_rewrite_scheduled"] == "0" {
			return nil
		}
		if err := wait(ctx, rewritePause); err != nil {
			return err
		}
	}
	return nil
}

// ask asks all queries, each for another order, system or state where it names one.
func (s *stand) ask(ctx context.Context, r *QueryReport, orders int) error {
	first, err := s.list(ctx, url.Values{"orderId": {fillOrder(0)}})
	if err != nil {
		return err
	}
	notification := first.Data[0].NotificationID
	deep, err := s.leaf(ctx, min(deepest, r.Events/2))
	if err != nil {
		return err
	}
	times := min(queryTimes, max(r.Events/10, 1))
	for _, q := range []struct {
		name string
		of   func(i int) url.Values
	}{
		{"the newest 10", func(int) url.Values { return url.Values{} }},
		{"the newest 100", func(int) url.Values { return url.Values{"limit": {"100"}} }},
		{"of an order", func(i int) url.Values { return url.Values{"orderId": {fillOrder(i * orders / times)}} }},
		{"of a notification", func(int) url.Values { return url.Values{"notificationId": {notification}} }},
		{"of a scope", func(i int) url.Values { return url.Values{"scope": {"state." + states[i%len(states)]}} }},
		{"of an adapter", func(i int) url.Values { return url.Values{"adapterId": {fmt.Sprintf("system-%d", i%fillSystems)}} }},
		{"failed", func(int) url.Values { return url.Values{"outcome": {"failed"}} }},
		{"failed, of an adapter", func(i int) url.Values {
			return url.Values{"outcome": {"failed"}, "adapterId": {fmt.Sprintf("system-%d", i%fillSystems)}}
		}},
		{"a deep page", func(int) url.Values { return url.Values{"cursor": {deep}} }},
		{"the newest 10 and how many there are", func(int) url.Values { return url.Values{"offset": {"0"}} }},
	} {
		took, found := make([]time.Duration, times), 0
		for i := range times {
			began := time.Now()
			page, err := s.list(ctx, q.of(i))
			if err != nil {
				return err
			}
			took[i], found = time.Since(began), len(page.Data)
			if found == 0 {
				return fmt.Errorf("%s: nothing was found", q.name)
			}
		}
		r.Queries = append(r.Queries, QueryTime{q.name, found, Summarise(took)})
	}
	return nil
}

// leaf goes through pages until so many Events are behind, and returns the cursor of what follows.
func (s *stand) leaf(ctx context.Context, events int) (cursor string, err error) {
	for behind := 0; behind < events; {
		q := url.Values{"limit": {"100"}}
		if cursor != "" {
			q.Set("cursor", cursor)
		}
		page, err := s.list(ctx, q)
		if err != nil {
			return "", err
		}
		if page.Pagination.Next == "" {
			return cursor, nil
		}
		behind, cursor = behind+len(page.Data), page.Pagination.Next
	}
	return cursor, nil
}

// listed Events, as far as the bench reads them.
type eventPage struct {
	Data       []struct{ NotificationID string }
	Pagination struct{ Next string }
}

func (s *stand) list(ctx context.Context, q url.Values) (page eventPage, err error) {
	text, err := ask(ctx, http.MethodGet, strings.TrimSuffix(s.base()+"/api/v0/checkout/notifications/events?"+q.Encode(), "?"), nil,
		http.Header{"Authorization": {"Bearer " + s.token}, "X-Merchant": {fillMerchant}})
	if err != nil {
		return page, err
	}
	return page, json.Unmarshal(text, &page)
}
