package store

import "github.com/tidings/tidings/dispatcher"

// The codecs are tested by themselves: what is broken in Redis, and what they cost, is not told by the Store.
var (
	DecodeDelivery = decodeDelivery
	EncodeAttempt  = encodeAttempt
	DecodeAttempt  = decodeAttempt
	EncodeSnapshot = encodeSnapshot
	DecodeSnapshot = decodeSnapshot
)

// EncodeDelivery returns the record of a delivery and what is held after it was written.
func EncodeDelivery(d dispatcher.Delivery, revision int) (string, Held, error) {
	record, err := encodeDelivery(d, revision)
	if err != nil {
		return "", Held{}, err
	}
	return string(record), heldAs(d, revision, record), nil
}

// Revision is that of the record that was read.
func (h Held) Revision() int { return h.revision }
