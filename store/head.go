package store

import (
	"fmt"
	"strconv"
	"time"

	"github.com/tidings/tidings/dispatcher"
)

const revisionMax = 1 << 24

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
	dst = appendHex(dst, d.Generation, 6)
	dst = appendHex(dst, revision%revisionMax, 6)
	return appendTime(append(dst, letter), d.ClaimedAt), nil
}

// appendHex spells a number in so many hexadecimal digits.
func appendHex(dst []byte, n, digits int) []byte {
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
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

// parseHead is the delivery of such terms as a head tells it.
func parseHead(terms dispatcher.Delivery, head string) (Held, error) {
	generation, err1 := strconv.ParseUint(head[:6], 16, 24)
	revision, err2 := strconv.ParseUint(head[6:12], 16, 24)
	claimed, err3 := strconv.ParseUint(head[13:26], 10, 63)
	status, ok := letterStatuses[head[12]]
	if err1 != nil || err2 != nil || err3 != nil || !ok {
		return Held{}, fmt.Errorf("delivery %s: head %q", terms.ID, head)
	}
	terms.Status, terms.Generation, terms.ClaimedAt = status, int(generation), fromMillis(int64(claimed))
	return Held{Delivery: terms, revision: int(revision), head: head}, nil
}
