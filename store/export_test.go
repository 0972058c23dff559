package store

import (
	"time"

	"github.com/tidings/tidings/dispatcher"
)

// The codecs are tested by themselves: what is broken in Redis, and what they cost, is not told by the Store.
var (
	DecodeDelivery = decodeDelivery
	EncodeAttempt  = encodeAttempt
	DecodeAttempt  = decodeAttempt
	DecodeSnapshot = decodeSnapshot
)

// EncodeSnapshot returns the record of a snapshot.
func EncodeSnapshot(snap dispatcher.Snapshot) ([]byte, error) {
	return newSnapshotRecord(snap, snap.Order.Document.JSON()).encode()
}

// EncodeDelivery returns the record of a delivery and what is held after it was written.
func EncodeDelivery(d dispatcher.Delivery, revision int) (string, Held, error) {
	record, err := encodeDelivery(d, revision, payloadOfChange, nil)
	if err != nil {
		return "", Held{}, err
	}
	return string(record), heldAs(d, revision, string(record[:headBytes]), payloadOfChange), nil
}

// Revision is that of the record that was read.
func (h Held) Revision() int { return h.revision }

// NewCache is tested by itself: what it keeps is not told by the Store.
var NewCache = newCache[string, int]

// Get, Put, Drop, DropOld and Bytes are those of the cache.
func (c *cache[K, V]) Get(key K, now time.Time) (V, bool)           { return c.get(key, now) }
func (c *cache[K, V]) Put(key K, value V, bytes int, now time.Time) { c.put(key, value, bytes, now) }
func (c *cache[K, V]) Drop(key K)                                   { c.drop(key) }
func (c *cache[K, V]) DropOld(since time.Time)                      { c.dropOld(since) }
func (c *cache[K, V]) Bytes() int                                   { return c.bytes }

// NewShelf is tested by itself, as NewCache is.
var NewShelf = newShelf[int]

// Get, Put, Drop, DropOld and Bytes are those of the shelf.
func (s *shelf[V]) Get(key string) (V, bool)                          { return s.get(key) }
func (s *shelf[V]) Put(key string, value V, bytes int, now time.Time) { s.put(key, value, bytes, now) }
func (s *shelf[V]) Drop(key string)                                   { s.drop(key) }
func (s *shelf[V]) DropOld(now time.Time)                             { s.dropOld(now) }
func (s *shelf[V]) Bytes() int                                        { return s.bytes }

// OpenedBytes is how much memory is counted for notifications that are kept opened.
func (s *Store) OpenedBytes() int { return s.opened.bytes }

// KeptBytes is how much memory is counted for what is kept for attempts: of deliveries, and of snapshots that several share.
func (s *Store) KeptBytes() (owed, shared int) { return s.owed.bytes, s.shared.bytes }
