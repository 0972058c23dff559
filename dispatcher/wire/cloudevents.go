package wire

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
)

// CloudEvents is a CloudEvents 1.0 event whose data is the body of Norce:
//
//	structured: {"specversion":"1.0","type":"","source":"","id":"","subject":"","time":"","datacontenttype":"application/json","data":{}}
//	binary:     the attributes as ce-* headers, the data as the body
//
// id is the delivery's, the same on every attempt; subject the order's; time that of the change. Source: CloudEvents
// 1.0.2, its JSON format and HTTP protocol binding.
//
// Options: mode "structured" or "binary" (structured), source, a URI reference (/tidings/<merchant>/<channel>), type
// (io.tidings.order.changed).
type CloudEvents struct{}

var asCloudEvent = http.Header{"Content-Type": {"application/cloudevents+json; charset=utf-8"}}

// Name implements Format.
func (CloudEvents) Name() string { return dispatcher.FormatCloudEvents }

// CheckOptions implements Format.
func (CloudEvents) CheckOptions(options scope.Value) scope.Faults {
	return checkOptions(options,
		option{name: "mode", kind: scope.KindString, want: "structured or binary",
			fits: func(s string) bool { return s == "structured" || s == "binary" }},
		option{name: "source", kind: scope.KindString, want: "a URI reference (RFC 3986)", fits: isURIReference},
		option{name: "type", kind: scope.KindString, want: "a text without control characters and noncharacters",
			fits: isCloudEventsString})
}

// Retry implements Format. CloudEvents leaves it to the protocol: the default ladder.
func (CloudEvents) Retry() dispatcher.Retry { return dispatcher.Retry{} }

// Render implements Format.
func (CloudEvents) Render(m Message) (Rendered, error) {
	order, options := m.Snapshot.Order, m.Delivery.Options
	source := "/tidings/" + url.PathEscape(order.Merchant) + "/" + url.PathEscape(order.Channel)
	attributes := []struct{ name, value string }{
		{"specversion", "1.0"},
		{"type", textOption(options, "type", "io.tidings.order.changed")},
		{"source", textOption(options, "source", source)},
		{"id", m.Delivery.ID},
		{"subject", order.ID},
		{"time", order.Modified.UTC().Format(time.RFC3339Nano)},
	}
	if textOption(options, "mode", "structured") == "binary" {
		r := Rendered{Header: maps.Clone(asJSON)} // the content type is datacontenttype: no header of that name
		for _, a := range attributes {
			r.Header.Set("ce-"+a.name, ceHeaderValue(a.value))
		}
		r.Body = appendNorce(make([]byte, 0, norceRoom(m.Snapshot)), m.Snapshot)
		return r, nil
	}
	body := append(make([]byte, 0, 512+norceRoom(m.Snapshot)), '{')
	for _, a := range attributes {
		body = appendText(body, a.name, a.value)
	}
	body = appendText(body, "datacontenttype", "application/json")
	body = append(appendNorce(appendName(body, "data"), m.Snapshot), '}')
	return Rendered{Header: asCloudEvent, Body: body}, nil
}

// ceHeaderValue encodes a value as the HTTP binding says (§3.1.3.2): space, quote, percent and all that is not visible
// ASCII become percent-encoded UTF-8.
func ceHeaderValue(value string) string {
	var b strings.Builder
	for _, c := range []byte(value) {
		if c <= ' ' || c > '~' || c == '"' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

var uriCharacters = regexp.MustCompile(`^([A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+$`)

func isURIReference(s string) bool {
	_, err := url.Parse(s)
	return err == nil && uriCharacters.MatchString(s)
}

// isCloudEventsString holds a text against the type String of CloudEvents §2.1.
func isCloudEventsString(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r >= 0xfdd0 && r <= 0xfdef || r&0xfffe == 0xfffe
	})
}
