package store

import (
	"fmt"
	"strconv"
	"time"

	"github.com/tidings/tidings/dispatcher"
)

// A delivery is kept as one string, which is what costs Redis least; the scripts read and compare its first characters,
// and put together anew what follows them without reading it:
//
//	head        26  generation (6 hex), revision (6 hex), status (1 letter), claimed at (13 digits, ms; zeros when unclaimed)
//	payload      1  where its snapshot is (1 letter)
//	ordering     1  of its notification (1 letter)
//	sizes       10  of the terms (6 hex), of the progress (4 hex)
//	progress        CBOR: what became of it so far, written anew by every move
//	terms           packed CBOR: what is owed, and mostly the snapshot; changed by an erasure only
//	Events          of each its size (6 hex), its id (16 bytes) and packed CBOR, in the order in which they were recorded
//
// The revision grows with every write but that of a late Event, so that the head alone tells whether anybody moved the
// delivery since.
const (
	headBytes   = 26
	prefixBytes = headBytes + 1 + 1 + 6 + 4
	termsMost   = 1<<24 - 1
	recordBytes = 512 // about what one has without a snapshot
)

// payload is where the snapshot of a delivery is.
type payload byte

const (
	payloadInTerms  payload = 't' // of a change that is owed once
	payloadOfChange payload = 'c' // in a key of its own, for all deliveries of the change
	payloadGone     payload = '-' // erased
)

var orderingLetters = map[dispatcher.Ordering]byte{
	dispatcher.OrderingStrict: 's', dispatcher.OrderingLatest: 'l', dispatcher.OrderingNone: 'n',
}

var letterOrderings = map[byte]dispatcher.Ordering{
	's': dispatcher.OrderingStrict, 'l': dispatcher.OrderingLatest, 'n': dispatcher.OrderingNone,
}

// encodeDelivery is the record of a delivery that has no Events. The snapshot is nil where it is not in the terms.
func encodeDelivery(d dispatcher.Delivery, revision int, at payload, snapshot *snapshotRecord) ([]byte, error) {
	ordering, ok := orderingLetters[d.Ordering]
	if !ok {
		return nil, fmt.Errorf("delivery %s: ordering %q is not stored", d.ID, d.Ordering)
	}
	terms, err := encodeTerms(d, snapshot)
	if err != nil {
		return nil, err
	}
	progress, err := encodeProgress(d)
	if err != nil {
		return nil, err
	}
	record, err := appendHead(make([]byte, 0, prefixBytes+len(progress)+len(terms)), d, revision)
	if err != nil {
		return nil, err
	}
	record = appendHex(append(record, byte(at), ordering), len(terms), 6)
	return append(append(record, progress...), terms...), nil
}

// Held is a delivery as it was read; writes through it fail with ErrConflict when somebody wrote since.
type Held struct {
	dispatcher.Delivery
	revision int
	head     string
	payload  payload
}

// heldAs is what decodeDelivery makes of a record that holds d, without decoding it.
func heldAs(d dispatcher.Delivery, revision int, head string, at payload) Held {
	kept := func(at time.Time) time.Time { return fromMillis(millis(at)) }
	d.Created, d.ExpiresAt, d.NextAttemptAt = kept(d.Created), kept(d.ExpiresAt), kept(d.NextAttemptAt)
	d.SettledAt, d.ParkedAt, d.ClaimedAt = kept(d.SettledAt), kept(d.ParkedAt), kept(d.ClaimedAt)
	d.Registered = fromMicros(micros(d.Registered))
	return Held{d, revision % revisionMax, head, at}
}

// parts are those of a record. What holds on to one holds on to the record.
type parts struct {
	head     string
	payload  payload
	ordering dispatcher.Ordering
	progress string
	terms    string // "" when only what stands before it was told
	events   string
}

// splitRecord takes a record apart. A prefix is what stands before the terms.
func splitRecord(id, record string, prefix bool) (p parts, err error) {
	if len(record) < prefixBytes {
		return p, fmt.Errorf("delivery %s: record of %d bytes", id, len(record))
	}
	terms, err1 := strconv.ParseUint(record[28:34], 16, 24)
	progress, err2 := strconv.ParseUint(record[34:38], 16, 16)
	p = parts{head: record[:headBytes], payload: payload(record[26]), ordering: letterOrderings[record[27]]}
	rest := record[prefixBytes:]
	switch {
	case err1 != nil, err2 != nil, p.ordering == "",
		p.payload != payloadInTerms && p.payload != payloadOfChange && p.payload != payloadGone:
		return p, fmt.Errorf("delivery %s: record begins with %q", id, record[:prefixBytes])
	case len(rest) < int(progress), prefix && len(rest) > int(progress), !prefix && len(rest) < int(progress+terms):
		return p, fmt.Errorf("delivery %s: record of %d bytes does not hold what it tells", id, len(record))
	}
	if p.progress, rest = rest[:progress], rest[progress:]; prefix {
		return p, nil
	}
	p.terms, p.events = rest[:terms], rest[terms:]
	return p, nil
}

// decodeDelivery reads a record, but not its snapshot; of its Events it looks only whether they are whole.
func decodeDelivery(id, record string) (Held, error) {
	p, err := splitRecord(id, record, false)
	if err != nil {
		return Held{}, err
	}
	return p.held(id)
}

// held is the delivery that a whole record tells.
func (p parts) held(id string) (Held, error) {
	terms, err := decodeTerms(id, p.terms)
	if err != nil {
		return Held{}, err
	}
	if err := eachEvent(id, p.events, func(dispatcher.EventID, string) bool { return true }); err != nil {
		return Held{}, err // cut off, or something else behind them
	}
	return p.onto(terms)
}

// onto is the delivery of such terms as the record tells it.
func (p parts) onto(terms dispatcher.Delivery) (Held, error) {
	terms.Ordering = p.ordering
	h, err := parseHead(terms, p.head)
	if err != nil {
		return Held{}, err
	}
	h.payload = p.payload
	if err := decodeProgress(p.progress, &h.Delivery); err != nil {
		return Held{}, err
	}
	return h, nil
}
