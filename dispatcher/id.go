package dispatcher

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"time"
)

// Shards is the fixed number of shards. All that belongs to one order lives in one shard, which is one Redis Cluster
// slot. The number is part of every stored key and of every delivery and event id, so it can never change.
const Shards = 64

// OrderRef names an order: order ids are unique within a merchant.
type OrderRef struct {
	Merchant string
	OrderID  string
}

// Shard returns the shard of everything that belongs to the order.
func (r OrderRef) Shard() int {
	h := fnv.New32a()
	h.Write([]byte(r.Merchant))
	h.Write([]byte{0})
	h.Write([]byte(r.OrderID))
	return int(h.Sum32() % Shards)
}

// NewID returns a fresh sortable id of 32 hexadecimal digits (a UUIDv7 without dashes: Asynqmon cuts ids at a dash).
func NewID(now time.Time) string {
	id := uuidV7(now, -1)
	return hex.EncodeToString(id[:])
}

// DeliveryID derives the id of the delivery that a change owes to a notification. It is the same however often it is
// computed, so a delivery planned twice is one delivery. The first two digits are the shard, so that a delivery is
// found by its id alone; the rest is SHA-256 over change and notification.
func DeliveryID(ref OrderRef, changeID, notificationID string) string {
	var named [128]byte // ids are shorter
	sum := sha256.Sum256(append(append(append(named[:0], changeID...), 0), notificationID...))
	sum[0] = byte(ref.Shard())
	var text [32]byte
	return string(hex.AppendEncode(text[:0], sum[:16]))
}

// EventID is the id of an Event: a UUIDv7 whose last byte is the shard.
type EventID [16]byte

// NewEventID returns a fresh Event id of that shard; ids made later sort later.
func NewEventID(now time.Time, shard int) EventID { return uuidV7(now, shard) }

// Time returns when the id was made, in whole milliseconds.
func (e EventID) Time() time.Time {
	var ms [8]byte
	copy(ms[2:], e[:6])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(ms[:]))).UTC()
}

// Shard returns the shard that the Event lives in.
func (e EventID) Shard() int { return int(e[15]) % Shards }

// String spells the id as UUIDs are spelled.
func (e EventID) String() string {
	var text [36]byte
	hex.Encode(text[0:8], e[0:4])
	hex.Encode(text[9:13], e[4:6])
	hex.Encode(text[14:18], e[6:8])
	hex.Encode(text[19:23], e[8:10])
	hex.Encode(text[24:], e[10:])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}

// ParseEventID reads an id as String spells it. Anything else is ErrNotFound: an id that cannot exist is not there.
func ParseEventID(s string) (EventID, error) {
	var e EventID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return e, fmt.Errorf("event id %q: %w", s, ErrNotFound)
	}
	raw, err := hex.DecodeString(s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:])
	if err != nil {
		return e, fmt.Errorf("event id %q: %w", s, ErrNotFound)
	}
	copy(e[:], raw)
	return e, nil
}

// DeliveryShard returns the shard named by a delivery id; ErrNotFound when it cannot be one.
func DeliveryShard(id string) (int, error) {
	raw, err := hex.DecodeString(id)
	if err != nil || len(raw) != 16 || int(raw[0]) >= Shards {
		return 0, fmt.Errorf("delivery id %q: %w", id, ErrNotFound)
	}
	return int(raw[0]), nil
}

// uuidV7 builds a UUIDv7 (RFC 9562 §5.7): 48 bits of milliseconds, 12 bits of the fraction of the millisecond
// (§6.2 method 3, so that ids of one process sort by time within it), and randomness. A shard >= 0 goes in the last byte.
func uuidV7(now time.Time, shard int) (id [16]byte) {
	_, _ = rand.Read(id[8:]) // crypto/rand.Read never fails (Go 1.24)
	ms := now.UnixMilli()
	fraction := uint16(uint64(now.UnixNano()-ms*1e6) * 4096 / 1e6)
	binary.BigEndian.PutUint64(id[:8], uint64(ms)<<16|uint64(0x7000|fraction&0x0fff))
	id[8] = id[8]&0x3f | 0x80
	if shard >= 0 {
		id[15] = byte(shard)
	}
	return id
}
