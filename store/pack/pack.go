// Package pack makes values smaller that are kept in Redis.
//
// Most are an order of a kilobyte or an answer of some hundred bytes: S2 with a dictionary packs these as tightly as
// Zstandard does without one, in a quarter of its time. What is large pays for Zstandard with the room that it saves.
package pack

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"sync"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// A packed value opens with one byte that says how it is kept, so that other ways can be added later.
const (
	packedPlain = 'p'
	packedS2    = 't' // with the dictionary below; s stood for one that no release had
	packedQuick = 'q' // S2 without a dictionary
	packedZstd  = 'z'

	packFrom  = 64      // bytes; smaller values do not gain
	largeFrom = 4 << 10 // bytes
	packedMax = 8 << 20 // bytes; no value of ours unpacks to more

	keptRoom = 64 << 10 // bytes
)

// The dictionary: how orders and answers are spelled, and how the CBOR around them is. It is part of what is stored, like the
// letter that stands for it: another one needs another letter.
var (
	//go:embed words.txt
	words      []byte
	dictionary = s2.MakeDict(append(words, skeletons...), nil)
)

// skeletons are of the records of package store, as CBOR: the terms of a delivery with its snapshot, and an Event.
const skeletons = "\xac\x01\x02cweb\x03\x04\x02\x05P\x06P\x07\x1b\x00\x06`\n\x81ostate.completed\x0b\x81\xa3\x01ostate.completed" +
	"\x02t/state/currentStatus\x03I\"created\"\x04K\"completed\"\x0cenorce\x0e\x1b\x00\x00\x01\xa2\x11\xa5\x04\x02\x05\x1b\x00\x00\x01\xa2" +
	"\x06\x1b\x00\x00\x01\xa2\x07\x81\xa3\x01P\x05O{\"state\":[\"*\"]}\x07x https://\x08Y\x04{\"state\":{\"currentStatus\":\"" +
	"\xa9\x01\x01\x03\x1b\x00\x00\x01\xa2\x04dPOST\x05x https://\x07\x18\xc8\x08\xa3dDatex\x1dSun, 22 Nov 2026 GMTlContent-Type" +
	"x\x19text/plain; charset=utf-8lContent-Typex\x1fapplication/json; charset=utf-8nContent-Lengthc" +
	"\tX{\"status\":\"ok\"}\x0b\x19\x0co"

var (
	zstdWriter, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false))
	zstdReader, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(packedMax))
)

// Pack returns a value as it is to be kept.
func Pack(plain []byte) []byte {
	var packed []byte
	switch {
	case len(plain) < packFrom:
	case len(plain) < largeFrom:
		packed = withDictionary(plain)
	default:
		packed = zstdWriter.EncodeAll(plain, []byte{packedZstd})
	}
	if packed != nil && len(packed) <= len(plain) {
		return packed
	}
	return append([]byte{packedPlain}, plain...)
}

// Quick packs in a third of the time, and less tightly, what is written often and kept once: an order.
func Quick(plain []byte) []byte {
	room := rooms.Get().(*[]byte)
	defer func() {
		if cap(*room) <= keptRoom {
			rooms.Put(room)
		}
	}()
	*room = append((*room)[:0], packedQuick)
	*room = slices.Grow(*room, s2.MaxEncodedLen(len(plain)))
	packed := (*room)[:1+len(s2.Encode((*room)[1:cap(*room)], plain))]
	if len(plain) >= packFrom && len(packed) <= len(plain) {
		return bytes.Clone(packed)
	}
	return append([]byte{packedPlain}, plain...)
}

// rooms are what Quick packs into, which needs more than is left of it; one that was large is not kept.
var rooms = sync.Pool{New: func() any { return new([]byte) }}

// Unpack returns what Pack or Quick was given. What it did not make is an error.
func Unpack(packed []byte) ([]byte, error) {
	if len(packed) == 0 {
		return nil, fmt.Errorf("empty packed value")
	}
	switch packed[0] {
	case packedPlain:
		return packed[1:], nil
	case packedS2, packedQuick:
		if size, err := s2.DecodedLen(packed[1:]); err != nil || size > packedMax { // Decode takes the room that is named
			return nil, fmt.Errorf("packed value of %d bytes: %w", size, s2.ErrCorrupt)
		}
		if packed[0] == packedQuick {
			return s2.Decode(nil, packed[1:])
		}
		return dictionary.Decode(nil, packed[1:])
	case packedZstd:
		return zstdReader.DecodeAll(packed[1:], nil)
	}
	return nil, fmt.Errorf("packed value of unknown kind %q", packed[0])
}
