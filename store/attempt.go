package store

import (
	"fmt"
	"maps"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store/pack"
)

// attemptRecord is how an attempt is kept; what its delivery says already is not said again.
type attemptRecord struct {
	Number        int               `cbor:"1,keyasint,omitempty"`
	Trigger       string            `cbor:"2,keyasint,omitempty"` // absent: automatic
	At            int64             `cbor:"3,keyasint"`
	Method        string            `cbor:"4,keyasint,omitempty"`
	URL           string            `cbor:"5,keyasint,omitempty"`
	HeaderNames   []string          `cbor:"6,keyasint,omitempty"`
	StatusCode    int               `cbor:"7,keyasint,omitempty"`
	Header        map[string]string `cbor:"8,keyasint,omitempty"`
	Body          []byte            `cbor:"9,keyasint,omitempty"`
	Truncated     bool              `cbor:"10,keyasint,omitempty"`
	Duration      int64             `cbor:"11,keyasint,omitempty"` // µs
	RemoteAddress string            `cbor:"12,keyasint,omitempty"`
	Sent          string            `cbor:"13,keyasint,omitempty"` // absent: yes
	Reason        string            `cbor:"14,keyasint,omitempty"` // absent: delivered
	Detail        string            `cbor:"15,keyasint,omitempty"`
	WillRetry     bool              `cbor:"16,keyasint,omitempty"`
	NextAttemptAt int64             `cbor:"17,keyasint,omitempty"`
}

func encodeAttempt(a dispatcher.Attempt) ([]byte, error) {
	r := attemptRecord{
		Number: a.Number, Trigger: string(a.Trigger), At: millis(a.At), Method: a.Method, URL: a.URL,
		HeaderNames: a.HeaderNames, StatusCode: a.StatusCode, Header: readable(a.Header), Body: a.Body, Truncated: a.Truncated,
		Duration: a.Duration.Microseconds(), RemoteAddress: a.RemoteAddress, Sent: string(a.Sent),
		Reason: string(a.Reason), Detail: a.Detail, WillRetry: a.WillRetry, NextAttemptAt: millis(a.NextAttemptAt),
	}
	if a.Trigger == dispatcher.TriggerAutomatic {
		r.Trigger = ""
	}
	if a.Sent == dispatcher.SentYes {
		r.Sent = ""
	}
	return packed(&r)
}

// readable is an answer's header as CBOR and JSON can tell it: in UTF-8, which nothing holds a target to.
func readable(header map[string]string) map[string]string {
	for name, value := range header {
		if !utf8.ValidString(value) {
			header = maps.Clone(header)
			header[name] = strings.ToValidUTF8(value, "\uFFFD")
		}
	}
	return header
}

func decodeAttempt(id dispatcher.EventID, packed []byte) (dispatcher.Attempt, error) {
	var r attemptRecord
	plain, err := pack.Unpack(packed)
	if err == nil {
		err = cborReader.Unmarshal(plain, &r)
	}
	if err != nil {
		return dispatcher.Attempt{}, fmt.Errorf("event %s: %w", id, err)
	}
	a := dispatcher.Attempt{
		ID: id, Number: r.Number, Trigger: dispatcher.Trigger(r.Trigger), At: fromMillis(r.At), Method: r.Method, URL: r.URL,
		HeaderNames: r.HeaderNames, StatusCode: r.StatusCode, Header: r.Header, Body: r.Body, Truncated: r.Truncated,
		Duration: time.Duration(r.Duration) * time.Microsecond, RemoteAddress: r.RemoteAddress,
		Sent: dispatcher.Sent(r.Sent), Reason: dispatcher.Reason(r.Reason), Detail: r.Detail, Outcome: dispatcher.Failed,
		WillRetry: r.WillRetry, NextAttemptAt: fromMillis(r.NextAttemptAt),
	}
	if r.Trigger == "" {
		a.Trigger = dispatcher.TriggerAutomatic
	}
	if r.Sent == "" {
		a.Sent = dispatcher.SentYes
	}
	if r.Reason == "" {
		a.Outcome = dispatcher.Delivered
	}
	return a, nil
}
