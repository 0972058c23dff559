package store

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"sync"

	"github.com/fxamacker/cbor/v2"

	"github.com/tidings/tidings/scope"
	"github.com/tidings/tidings/store/pack"
)

// Deliveries, Events and snapshots are kept as CBOR (RFC 8949), whose maps have small numbers for names: a quarter of the
// time of encoding/json, and two thirds of the bytes. Members that are not known here are passed over, so that an older
// Tidings reads what a newer one wrote. A member that is no longer written keeps its number for ever.
var (
	cborWriter, _ = cbor.EncOptions{Sort: cbor.SortBytewiseLexical}.UserBufferEncMode()
	// What is read was written by us, or is broken. That a target answered with bytes which are no UTF-8 must not make its
	// Event unreadable.
	cborReader, _ = cbor.DecOptions{
		MaxNestedLevels: 8, IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden, UTF8: cbor.UTF8DecodeInvalid,
	}.DecMode()
)

// buffers hold what is packed at once; one that was large is not kept.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

const keptBuffer = 64 << 10

// packed encodes a record and packs it.
func packed(record any) ([]byte, error) {
	plain := buffers.Get().(*bytes.Buffer)
	defer func() {
		if plain.Cap() <= keptBuffer {
			buffers.Put(plain)
		}
	}()
	plain.Reset()
	if err := cborWriter.MarshalToBuffer(record, plain); err != nil {
		return nil, err
	}
	return pack.Pack(plain.Bytes()), nil
}

// jsonOf is the JSON of a value as it stands in CBOR: the order of an adapter is kept as written. Absent is nothing.
func jsonOf(v scope.Value) []byte {
	if v.IsAbsent() {
		return nil
	}
	return v.JSON()
}

// valueOf reads what jsonOf wrote.
func valueOf(text []byte) (scope.Value, error) { return readValue(text, scope.Parse) }

// documentOf reads an order.
func documentOf(text []byte) (scope.Value, error) { return readValue(text, scope.ParseFolded) }

func readValue(text []byte, parse func([]byte, scope.Limits) (scope.Value, scope.Faults)) (scope.Value, error) {
	if len(text) == 0 {
		return scope.Value{}, nil
	}
	v, faults := parse(text, scope.DefaultLimits)
	if len(faults) > 0 {
		return scope.Value{}, faults
	}
	return v, nil
}

// idRecord is an id as it stands in CBOR. One that Tidings made, 32 hexadecimal digits, takes 16 bytes; any other stands
// behind a letter, and never takes 16.
type idRecord []byte

const ownIDBytes = 16

func idOf(id string) idRecord {
	if raw, err := hex.DecodeString(id); err == nil && len(raw) == ownIDBytes && hex.EncodeToString(raw) == id {
		return raw
	}
	chosen := append(idRecord{'='}, id...)
	if len(chosen) == ownIDBytes {
		chosen = append(chosen, 0) // no id holds a NUL
	}
	return chosen
}

// String is the id.
func (r idRecord) String() string {
	switch {
	case len(r) == ownIDBytes:
		return hex.EncodeToString(r)
	case len(r) == 0:
		return ""
	}
	return string(bytes.TrimSuffix(r[1:], []byte{0}))
}

// marshal encodes as JSON without HTML escaping: what an adapter wrote as & stays &.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
