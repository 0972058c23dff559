package store

import (
	"context"
	"time"

	"github.com/tidings/tidings/dispatcher"
)

// Query selects Events of one merchant. Empty fields select all.
type Query struct {
	Merchant       string
	OrderID        string
	Scope          string
	NotificationID string
	DeliveryID     string
	AdapterID      string
	Reference      string
	Channel        string
	Target         string // as dispatcher.TargetOf gives it
	Outcome        dispatcher.Outcome
	Reason         dispatcher.Reason
	StatusCode     string    // "503", or a class as "5xx"
	From, To       time.Time // From <= timestamp < To

	Limit  int                 // Events to return, at least 1
	Before *dispatcher.EventID // only Events older than this one (the page before ended there)
}

// Page is a page of Events, newest first.
type Page struct {
	Entries []Entry
	Next    *dispatcher.EventID // go on before this one; nil when there are no older ones
}

const (
	firstPage = 4      // index members fetched from a shard at first, besides a part of the page asked for
	scanPage  = 100    // index members fetched from a shard at once at most
	lookMost  = 2000   // Events loaded in one round trip
	scanMost  = 20_000 // Events that one query may look at
)

// Events answers a query: from the most selective index, looking at entries only where no index answers whole. A page
// may be short, even empty, and yet have a Next: then scanMost Events were looked at and few were meant.
func (s *Store) Events(ctx context.Context, q Query) (Page, error) {
	var page Page
	var last dispatcher.EventID
	looked := 0
	err := s.walk(ctx, q, func(e Entry, meant bool) bool {
		if looked == scanMost || meant && len(page.Entries) == q.Limit {
			page.Next = &last
			return false
		}
		if meant {
			page.Entries = append(page.Entries, e)
		}
		last = e.Attempt.ID
		looked++
		return true
	})
	return page, err
}

// CountEvents answers a query by offset and with the total. A single indexed filter is counted from its index; others
// by looking, at most at scanMost Events, beyond which it is ErrTooMany.
func (s *Store) CountEvents(ctx context.Context, q Query, offset int) ([]Entry, int64, error) {
	var entries []Entry
	var seen, looked int64
	plan := s.planQuery(q)
	err := s.walk(ctx, q, func(e Entry, meant bool) bool {
		if looked++; looked > scanMost {
			return false
		}
		if meant {
			seen++
		}
		if meant && seen > int64(offset) && len(entries) < q.Limit {
			entries = append(entries, e)
		}
		return !plan.exact || seen < int64(offset+q.Limit)
	})
	switch {
	case err != nil:
		return nil, 0, err
	case plan.exact:
		total, err := s.cardinality(ctx, plan)
		return entries, max(total, seen), err
	case looked > scanMost:
		return nil, 0, ErrTooMany
	}
	return entries, seen, nil
}

// queryPlan is how a query is answered.
type queryPlan struct {
	merchant, kind, value string
	shards                []int
	exact                 bool // every member of the index answers the query
}

func (s *Store) planQuery(q Query) queryPlan {
	plan := queryPlan{merchant: q.Merchant, kind: indexAll}
	filters := 0
	choose := func(kind, value string) {
		if value == "" {
			return
		}
		if filters++; filters == 1 {
			plan.kind, plan.value = kind, value
		}
	}
	choose(indexOrder, q.OrderID) // from the most selective to the least
	choose(indexNotification, q.NotificationID)
	choose(indexReference, q.Reference)
	choose(indexAdapter, q.AdapterID)
	choose(indexScope, q.Scope)
	choose(indexChannel, q.Channel)
	if q.Outcome == dispatcher.Failed || q.Reason != "" {
		if filters == 0 || plan.kind == indexChannel || plan.kind == indexScope || plan.kind == indexAdapter {
			plan.kind, plan.value = indexFailed, ""
		}
		filters++
	}
	others := q.DeliveryID != "" || q.Reason != "" || q.StatusCode != "" || q.Target != "" ||
		(q.Outcome != "" && q.Outcome != dispatcher.Failed) || !q.From.IsZero() || !q.To.IsZero()
	plan.exact = filters <= 1 && !others
	switch {
	case q.OrderID != "":
		plan.shards = []int{dispatcher.OrderRef{Merchant: q.Merchant, OrderID: q.OrderID}.Shard()}
	default:
		for shard := range dispatcher.Shards {
			plan.shards = append(plan.shards, shard)
		}
	}
	return plan
}
