package store

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// marshal encodes without HTML escaping: what an adapter wrote as & stays &.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// A packed value opens with one byte that says how it is kept, so that other ways can be added later.
const (
	packedPlain = 'p'
	packedZstd  = 'z'
	packFrom    = 256     // bytes; smaller texts do not gain
	packedMax   = 8 << 20 // bytes; no value of ours unpacks to more
)

var (
	zstdWriter, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderCRC(false))
	zstdReader, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(packedMax))
)

func pack(plain []byte) []byte {
	if len(plain) >= packFrom {
		packed := zstdWriter.EncodeAll(plain, []byte{packedZstd})
		if len(packed) < len(plain) {
			return packed
		}
	}
	return append([]byte{packedPlain}, plain...)
}

func unpack(packed []byte) ([]byte, error) {
	if len(packed) == 0 {
		return nil, fmt.Errorf("empty packed value")
	}
	switch packed[0] {
	case packedPlain:
		return packed[1:], nil
	case packedZstd:
		return zstdReader.DecodeAll(packed[1:], nil)
	}
	return nil, fmt.Errorf("packed value of unknown kind %q", packed[0])
}
