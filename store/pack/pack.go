// Package pack makes values smaller that are kept in Redis.
//
// Most are an order of a kilobyte or an answer of some hundred bytes: S2 with a dictionary packs these as tightly as
// Zstandard does without one, in a quarter of its time. What is large pays for Zstandard with the room that it saves.
package pack

import (
	_ "embed"
	"fmt"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// A packed value opens with one byte that says how it is kept, so that other ways can be added later.
const (
	packedPlain = 'p'
	packedS2    = 's' // with the first dictionary
	packedZstd  = 'z'

	packFrom  = 128     // bytes; smaller values do not gain
	largeFrom = 4 << 10 // bytes
	packedMax = 8 << 20 // bytes; no value of ours unpacks to more
)

// The first dictionary: how orders and answers are spelled. It is part of what is stored, like the letter that stands for
// it: another one needs another letter.
//
//go:embed words1.txt
var firstWords []byte

var (
	firstDictionary = s2.MakeDict(firstWords, nil)
	zstdWriter, _   = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false))
	zstdReader, _   = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(packedMax))
)

// Pack returns a value as it is to be kept.
func Pack(plain []byte) []byte {
	var packed []byte
	switch {
	case len(plain) < packFrom:
	case len(plain) < largeFrom:
		packed = make([]byte, 1+s2.MaxEncodedLen(len(plain)))
		packed[0] = packedS2
		packed = packed[:1+len(firstDictionary.Encode(packed[1:], plain))]
	default:
		packed = zstdWriter.EncodeAll(plain, []byte{packedZstd})
	}
	if packed != nil && len(packed) <= len(plain) {
		return packed
	}
	return append([]byte{packedPlain}, plain...)
}

// Unpack returns what Pack was given. What it did not make is an error.
func Unpack(packed []byte) ([]byte, error) {
	if len(packed) == 0 {
		return nil, fmt.Errorf("empty packed value")
	}
	switch packed[0] {
	case packedPlain:
		return packed[1:], nil
	case packedS2:
		if size, err := s2.DecodedLen(packed[1:]); err != nil || size > packedMax { // Decode takes the room that is named
			return nil, fmt.Errorf("packed value of %d bytes: %w", size, s2.ErrCorrupt)
		}
		return firstDictionary.Decode(nil, packed[1:])
	case packedZstd:
		return zstdReader.DecodeAll(packed[1:], nil)
	}
	return nil, fmt.Errorf("packed value of unknown kind %q", packed[0])
}
