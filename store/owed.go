package store

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
)

// owed is what an attempt needs of a delivery that never changes: its terms and the snapshot that it is rendered from. A
// process that committed a change mostly delivers it, too, and need not be told again what it wrote.
type owed struct {
	terms dispatcher.Delivery
	from  weighed // gone when it has no snapshot
}

// weighed is a snapshot with about how much memory it takes.
type weighed struct {
	snapshot *dispatcher.Snapshot
	bytes    int
}

const (
	owedBytes = 48 << 20 // of all that is kept
	owedRoom  = 1 << 10  // about what one has beside its snapshot, options and evidence
	// owedStay is for how long what is owed is kept for an attempt: a delivery that waits for longer waits for its target.
	owedStay = time.Minute
	// sharedBytes is of all snapshots that were read and that several deliveries share: these are made at about the same time.
	sharedBytes = 8 << 20
)

// keepOwed keeps what a commit owes until it is settled, if there is room. It holds on to nothing of the request that the
// commit was made of.
func (s *Store) keepOwed(c Commit, left State, snapshot *dispatcher.Snapshot) {
	if len(c.Deliveries) == 0 {
		return
	}
	from := weigh(snapshot)
	for _, d := range c.Deliveries {
		d.Merchant, d.OrderID, d.Channel = left.Order.Merchant, left.Order.ID, left.Order.Channel
		if len(c.Put) > 0 { // else it is of a notification that was there before
			d.NotificationID, d.AdapterID, d.Reference = strings.Clone(d.NotificationID), strings.Clone(d.AdapterID), strings.Clone(d.Reference)
			d.Format, d.Options = strings.Clone(d.Format), d.Options.Clone()
		}
		d.Scope, d.Evidence = ownTexts(d.Scope), ownEvidence(d.Evidence)
		s.keep(d, from, len(c.Deliveries))
	}
}

// keep keeps what is owed by one delivery; its snapshot is shared by so many.
func (s *Store) keep(terms dispatcher.Delivery, from weighed, sharing int) {
	held := heldAs(terms, 0, "", 0)
	s.owed.put(terms.ID, owed{held.Delivery, from}, termsBytes(&terms)+from.bytes/sharing, s.now())
}

// What the structures beside the texts take.
var (
	publicBytes   = int(reflect.TypeFor[dispatcher.PublicNotification]().Size())
	evidenceBytes = int(reflect.TypeFor[dispatcher.Evidence]().Size())
)

// weigh tells about how much memory a snapshot takes. The notifications of an order may be many times as large as its document.
func weigh(snapshot *dispatcher.Snapshot) weighed {
	bytes := snapshot.Order.Document.Bytes() + len(snapshot.Notifications)*publicBytes
	for i := range snapshot.Notifications {
		n := &snapshot.Notifications[i]
		bytes += len(n.ID) + len(n.AdapterID) + len(n.Reference) + len(n.Description) + len(n.Invoke) + len(n.Version) +
			perTextByte*(n.Scope.Size()+n.Schema.Size())
	}
	return weighed{snapshot, bytes}
}

// termsBytes is about how much memory the terms of a delivery take.
func termsBytes(d *dispatcher.Delivery) int {
	bytes := owedRoom + perTextByte*d.Options.Size() + len(d.Evidence)*evidenceBytes
	for i := range d.Evidence {
		e := &d.Evidence[i]
		bytes += len(e.Scope) + len(e.Pointer) + e.Before.Bytes() + e.After.Bytes()
	}
	return bytes
}

func ownTexts(all []string) []string {
	own := make([]string, len(all))
	for i, text := range all {
		own[i] = strings.Clone(text)
	}
	return own
}

// ownEvidence holds on to none of the documents that it was taken from.
func ownEvidence(all []dispatcher.Evidence) []dispatcher.Evidence {
	if len(all) == 0 {
		return nil
	}
	own := make([]dispatcher.Evidence, len(all))
	for i, e := range all {
		e.Before, e.After = e.Before.Clone(), e.After.Clone()
		own[i] = e
	}
	return own
}

// claimed puts together what a claim or a record told of a delivery that is claimed for us. What was not told, because it
// was thought to be kept here, is read.
func (s *Store) claimed(ctx context.Context, told told) (c Claim, err error) {
	c = Claim{State: Claimed, Newest: told.newest}
	p, err := splitRecord(told.id, told.record, !told.whole)
	if err != nil {
		return c, err
	}
	if told.whole {
		told.terms = p.terms
	}
	what, kept := s.owed.get(told.id)
	s.noteKept(kept)
	if kept {
		c.Held, err = p.onto(what.terms)
	} else {
		what, c.Held, err = s.readOwed(ctx, told, p)
	}
	if err != nil {
		return c, err
	}
	switch {
	case p.payload == payloadGone, told.snapshotGone: // an erased one is not sent, though it may still be kept here
		s.owed.drop(told.id)
	default:
		c.Snapshot = what.from.snapshot
	}
	if told.notification != "" {
		n, err := s.decodeNotification(c.Held.Ref(), c.Held.NotificationID, told.notification)
		if err != nil {
			return c, err
		}
		c.Notification = &n
	}
	return c, nil
}

// tellAll is for how many claims all is told after one that was not kept here. Where some are kept and some are not, being told
// in vain is some hundred bytes, and asking is a round trip.
const tellAll = 32

func (s *Store) noteKept(kept bool) {
	switch {
	case !kept:
		s.lacking.Store(tellAll)
	case s.lacking.Load() > 0:
		s.lacking.Add(-1)
	}
}

// told is what a script tells of a delivery that it claimed.
type told struct {
	id           string
	record       string // what stands before its terms, or all
	whole        bool   // all
	terms        string // "" when they are not told
	snapshot     string // of the change; "" when it is not told
	snapshotGone bool   // the change's
	notification string // "" when it was removed
	newest       string // id of the newest in its lane
}

// readOwed reads what is owed, of what was told and, where that is not enough, of the store: at most two round trips. Held
// is set even when only the snapshot could not be read, so that the delivery can be given back.
func (s *Store) readOwed(ctx context.Context, told told, p parts) (what owed, h Held, err error) {
	shard, err := dispatcher.DeliveryShard(told.id)
	if err != nil {
		return what, h, err
	}
	if told.terms == "" {
		record, err := s.rdb.Get(ctx, deliveryKey(shard, told.id)).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return what, h, unavailable("read delivery", err)
		}
		now, err := splitRecord(told.id, record, false)
		if err != nil {
			return what, h, err
		}
		told.terms = now.terms
	}
	terms, snapshot, err := decodeFullTerms(told.id, told.terms)
	if err != nil {
		return what, h, err
	}
	if h, err = p.onto(terms); err != nil {
		return what, Held{}, err
	}
	what.terms = terms
	if what.from, err = s.readSnapshot(ctx, shard, told, p, terms, snapshot); err != nil || what.from.snapshot == nil {
		return what, h, err
	}
	s.keep(what.terms, what.from, 1) // for its next attempt
	return what, h, nil
}

// readSnapshot reads the snapshot, which is inTerms or of the change; there is none when it is gone.
func (s *Store) readSnapshot(ctx context.Context, shard int, told told, p parts, terms dispatcher.Delivery, inTerms *snapshotRecord) (from weighed, err error) {
	var snap dispatcher.Snapshot
	shared := p.payload == payloadOfChange
	switch {
	case p.payload == payloadGone, told.snapshotGone:
		return from, nil
	case p.payload == payloadInTerms && inTerms == nil:
		return from, nil
	case p.payload == payloadInTerms:
		snap, err = inTerms.of(terms).snapshot()
	default:
		if kept, there := s.shared.get(terms.ChangeID, s.now()); there {
			return kept, nil
		}
		if told.snapshot == "" {
			told.snapshot, err = s.rdb.HGet(ctx, snapshotKey(shard, terms.ChangeID), "b").Result()
			if errors.Is(err, redis.Nil) {
				return from, nil
			}
			if err != nil {
				return from, unavailable("read snapshot", err)
			}
		}
		snap, err = decodeSnapshot([]byte(told.snapshot))
	}
	if err != nil {
		return from, err
	}
	if from = weigh(&snap); shared {
		s.shared.put(terms.ChangeID, from, owedRoom+from.bytes, s.now())
	}
	return from, nil
}
