package api

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"maps"
	"net/url"

	"github.com/tidings/tidings/dispatcher"
)

// A cursor is the id of the last Event of a page and a checksum over it and the filters: one that was cut, or that is
// used with other filters, is told so instead of giving a page that means nothing.

var errCursor = errors.New("is no cursor of this query; take pagination.next of the page before, with the same filters")

func encodeCursor(last dispatcher.EventID, filter string) string {
	sum := crc32.ChecksumIEEE([]byte(string(last[:]) + filter))
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32(last[:], sum))
}

func decodeCursor(cursor, filter string) (dispatcher.EventID, error) {
	var last dispatcher.EventID
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(raw) != len(last)+4 {
		return last, errCursor
	}
	copy(last[:], raw)
	if binary.BigEndian.Uint32(raw[len(last):]) != crc32.ChecksumIEEE([]byte(string(last[:])+filter)) {
		return last, errCursor
	}
	return last, nil
}

// filterOf is the query without what may differ from page to page.
func filterOf(values url.Values) string {
	filter := maps.Clone(values)
	for _, name := range []string{"cursor", "limit", "offset"} {
		delete(filter, name)
	}
	return filter.Encode() // sorted by name
}
