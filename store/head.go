package store

import (
	"fmt"
	"strconv"
	"time"

	"github.com/tidings/tidings/dispatcher"
)

// A delivery is kept as a head of 26 characters that the scripts read and compare, and CBOR that they do not:
//
//	generation (6 hex), revision (6 hex), status (1 letter), claimed at (13 digits, ms; zeros when unclaimed), CBOR
//
// The revision grows with every write, so that the head alone tells whether anybody wrote since.
const (
	headBytes   = 26
	revisionMax = 1 << 24
)

var statusLetters = map[dispatcher.Status]byte{
	dispatcher.StatusPending: 'p', dispatcher.StatusRetrying: 'r', dispatcher.StatusParked: 'k',
	dispatcher.StatusDelivered: 'd', dispatcher.StatusFailed: 'f', dispatcher.StatusCancelled: 'c',
	dispatcher.StatusSuperseded: 's', dispatcher.StatusExpired: 'x',
}

var letterStatuses = func() map[byte]dispatcher.Status {
	m := map[byte]dispatcher.Status{}
	for status, letter := range statusLetters {
		m[letter] = status
	}
	return m
}()

func appendHead(dst []byte, d dispatcher.Delivery, revision int) ([]byte, error) {
	letter, ok := statusLetters[d.Status]
	if !ok {
		return nil, fmt.Errorf("delivery %s: status %q is not stored", d.ID, d.Status)
	}
	dst = appendCount(dst, d.Generation)
	dst = appendCount(dst, revision%revisionMax)
	return appendTime(append(dst, letter), d.ClaimedAt), nil
}

// appendCount spells a generation or a revision: 6 hexadecimal digits.
func appendCount(dst []byte, n int) []byte {
	for shift := 20; shift >= 0; shift -= 4 {
		dst = append(dst, "0123456789abcdef"[n>>shift&0xf])
	}
	return dst
}

// appendTime spells a time: 13 digits, ms.
func appendTime(dst []byte, at time.Time) []byte {
	ms := millis(at)
	for unit := int64(1e12); unit > 0; unit /= 10 {
		dst = append(dst, byte('0'+ms/unit%10))
	}
	return dst
}

// parseHead reads what a record tells in its head. Of the delivery it sets nothing else.
func parseHead(id, record string) (Held, error) {
	if len(record) < headBytes {
		return Held{}, fmt.Errorf("delivery %s: record of %d bytes", id, len(record))
	}
	head := record[:headBytes]
	generation, err1 := strconv.ParseUint(head[:6], 16, 24)
	revision, err2 := strconv.ParseUint(head[6:12], 16, 24)
	claimed, err3 := strconv.ParseUint(head[13:26], 10, 63)
	status, ok := letterStatuses[head[12]]
	if err1 != nil || err2 != nil || err3 != nil || !ok {
		return Held{}, fmt.Errorf("delivery %s: head %q", id, head)
	}
	d := dispatcher.Delivery{ID: id, Status: status, Generation: int(generation), ClaimedAt: fromMillis(int64(claimed))}
	return Held{d, int(revision), head}, nil
}
