package outbound

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
)

const (
	maxRead        = 64 << 10 // raw, from the wire
	maxKept        = 16 << 10 // after decompression
	maxFields      = 64
	maxFieldLength = 1 << 10
	masked         = "******"
)

// readBody reads the answer's body within the limits. A body that ends within them leaves its connection to be used
// again; a longer one costs the connection, which is cheaper than reading a stranger's stream to its end.
func readBody(response *http.Response) (kept []byte, truncated bool, err error) {
	if response.StatusCode == http.StatusSwitchingProtocols {
		return nil, false, nil // what follows is a conversation nobody asked for, not a body
	}
	raw, err := io.ReadAll(io.LimitReader(response.Body, maxRead))
	truncated = len(raw) == maxRead && response.ContentLength != maxRead
	kept, cut := unpack(raw, response.Header.Get("Content-Encoding"))
	return kept, truncated || cut, err
}

// unpack undoes one content coding and keeps at most maxKept bytes of the result: raw is bounded and the decoder stops
// when enough is out, so a bomb costs no more than its wrapping. What cannot be decoded is kept as it came; the body is
// there for a person to read, and no verdict hangs on it.
func unpack(raw []byte, coding string) (kept []byte, cut bool) {
	if coding == "" {
		return raw[:min(len(raw), maxKept)], len(raw) > maxKept
	}
	decoded, err := decoder(raw, coding)
	if err != nil {
		return raw[:min(len(raw), maxKept)], len(raw) > maxKept
	}
	out, err := io.ReadAll(io.LimitReader(decoded, maxKept+1))
	if err != nil && len(out) == 0 {
		return raw[:min(len(raw), maxKept)], len(raw) > maxKept
	}
	return out[:min(len(out), maxKept)], err != nil || len(out) > maxKept
}

func decoder(raw []byte, coding string) (io.Reader, error) {
	switch strings.ToLower(strings.TrimSpace(coding)) {
	case "gzip", "x-gzip":
		return gzip.NewReader(bytes.NewReader(raw))
	case "deflate": // zlib by RFC 9110, section 8.4.1.2, but some send the bare stream
		if wrapped, err := zlib.NewReader(bytes.NewReader(raw)); err == nil {
			return wrapped, nil
		}
		return flate.NewReader(bytes.NewReader(raw)), nil
	default:
		return bytes.NewReader(raw), nil
	}
}

// keepHeader makes of an answer's header what is kept of it. Of too many fields it keeps the first in the order of their
// names, so that the same answer is always kept the same.
func keepHeader(header http.Header) http.Header {
	count := 0
	for name, values := range header {
		count += len(values)
		for i, value := range values {
			value = mask(name, value)
			values[i] = value[:min(len(value), maxFieldLength)]
		}
	}
	if count <= maxFields {
		return header
	}
	left := maxFields
	for _, name := range slices.Sorted(maps.Keys(header)) {
		header[name] = header[name][:min(len(header[name]), left)]
		left -= len(header[name])
		if len(header[name]) == 0 {
			delete(header, name)
		}
	}
	return header
}

// mask hides what a receiver's answer may give away: a cookie is a credential, and a redirect often repeats the query
// of our own URL, by which receivers authenticate us.
func mask(name, value string) string {
	switch name {
	case "Set-Cookie":
		return masked
	case "Location", "Content-Location", "Refresh", "Link":
		if before, _, found := strings.Cut(value, "?"); found {
			return before + "?" + masked
		}
	}
	return value
}
