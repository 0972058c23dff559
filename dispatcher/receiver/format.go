package receiver

import (
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// Format is the language of a body.
type Format string

// The formats of docs/formats.md, and what is none of them.
const (
	FormatNorce       Format = "norce"
	FormatFBPI        Format = "fbpi"
	FormatProbo       Format = "probo"
	FormatFaTPay      Format = "fatpay"
	FormatCloudEvents Format = "cloudevents" // structured: the event is the body
	FormatCloudBinary Format = "cloudevents-binary"
	FormatThin        Format = "thin"
	FormatUnknown     Format = "unknown"
)

// Recognise tells the format of a request. Headers go before the body, for in the formats fatpay and cloudevents-binary
// the body is whatever the adapter wrote; norce goes before the rest, for only its body names merchant and channel at its
// top.
func Recognise(header http.Header, body []byte) Format {
	top := object(body)
	switch {
	case header.Get("X-FP-Partner-Id") != "":
		return FormatFaTPay
	case header.Get("ce-specversion") != "" && header.Get("ce-type") != "":
		return FormatCloudBinary
	case top.all("specversion", "type", "source", "id") && isCloudEvent(header):
		return FormatCloudEvents
	case top.all("id", "merchant", "channel"):
		return FormatNorce
	case top.all("event_schema_version", "event_type", "metadata", "payload"):
		return FormatFBPI
	case top.all("status", "message", "order"):
		return FormatProbo
	case top.all("orderId", "orderVersion", "deliveryId"):
		return FormatThin
	}
	return FormatUnknown
}

func isCloudEvent(header http.Header) bool {
	mediaType, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	return err == nil && mediaType == "application/cloudevents+json"
}

// orderID is the order's id where the format says it.
func orderID(format Format, header http.Header, body []byte) string {
	top := object(body)
	switch format {
	case FormatNorce:
		return top.text("id")
	case FormatFBPI:
		return object(top["payload"]).text("order_nr")
	case FormatProbo:
		return object(top["order"]).text("id")
	case FormatFaTPay:
		if order := object(top["order"]); order.all("id") { // wrapped
			return order.text("id")
		}
		return top.text("id")
	case FormatCloudEvents:
		return top.text("subject")
	case FormatCloudBinary:
		subject := header.Get("ce-subject")
		if plain, err := url.PathUnescape(subject); err == nil {
			return plain
		}
		return subject
	case FormatThin:
		return top.text("orderId")
	}
	return ""
}

// members are those of a JSON object; nil for all else.
type members map[string]json.RawMessage

func object(text []byte) members {
	var m members
	if json.Unmarshal(text, &m) != nil {
		return nil
	}
	return m
}

func (m members) all(names ...string) bool {
	for _, name := range names {
		if _, there := m[name]; !there {
			return false
		}
	}
	return true
}

// text is a member that is a string, or a number as written; "" for all else.
func (m members) text(name string) string {
	raw := m[name]
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	if number := json.Number(""); json.Unmarshal(raw, &number) == nil {
		return strings.TrimSpace(string(raw))
	}
	return ""
}
