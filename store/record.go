package store

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
)

// A delivery is kept as a head of 26 characters that the scripts read and compare, and JSON that they do not:
//
//	generation (6 hex), revision (6 hex), status (1 letter), claimed at (13 digits, ms; zeros when unclaimed), JSON
//
// The revision grows with every write, so that the head alone tells whether anybody wrote since.
const (
	headBytes   = 26
	revisionMax = 1 << 24
)

var statusLetters = map[dispatcher.Status]byte{
	dispatcher.StatusPending: 'p', dispatcher.StatusRetrying: 'r', dispatcher.StatusParked: 'k',
	dispatcher.StatusDelivered: 'd', dispatcher.StatusFailed: 'f', dispatcher.StatusCancelled: 'c',
	dispatcher.StatusSuperseded: 's', dispatcher.StatusExpired: 'x',
}

var letterStatuses = func() map[byte]dispatcher.Status {
	m := map[byte]dispatcher.Status{}
	for status, letter := range statusLetters {
		m[letter] = status
	}
	return m
}()

type deliveryRecord struct {
	Merchant       string                `json:"m"`
	Channel        string                `json:"c"`
	OrderID        string                `json:"o"`
	OrderVersion   int64                 `json:"v"`
	ChangeID       string                `json:"h"`
	NotificationID string                `json:"n"`
	Registered     int64                 `json:"nc,omitempty"` // µs
	AdapterID      string                `json:"a,omitempty"`
	Reference      string                `json:"r,omitempty"`
	Scope          []string              `json:"k"`
	Evidence       []dispatcher.Evidence `json:"e,omitempty"`
	Format         string                `json:"f"`
	Options        scope.Value           `json:"p,omitzero"`
	Ordering       string                `json:"l"`
	Created        int64                 `json:"t"`
	ExpiresAt      int64                 `json:"x,omitempty"`
	Reason         string                `json:"w,omitempty"`
	StatusCode     int                   `json:"s,omitempty"`
	Attempts       int                   `json:"i,omitempty"`
	Counted        int                   `json:"j,omitempty"`
	NextAttemptAt  int64                 `json:"u,omitempty"`
	NextTrigger    string                `json:"g,omitempty"`
	Lone           bool                  `json:"y,omitempty"`
	WasDelivered   bool                  `json:"q,omitempty"`
	SettledAt      int64                 `json:"z,omitempty"`
	Test           bool                  `json:"ts,omitempty"`
	Erased         bool                  `json:"b,omitempty"`
	Target         string                `json:"tt,omitempty"`
	ParkedAt       int64                 `json:"tp,omitempty"`
	ParkedFor      string                `json:"tw,omitempty"`
	Pass           bool                  `json:"ta,omitempty"`
}

func encodeDelivery(d dispatcher.Delivery, revision int) ([]byte, error) {
	letter, ok := statusLetters[d.Status]
	if !ok {
		return nil, fmt.Errorf("delivery %s: status %q is not stored", d.ID, d.Status)
	}
	body, err := marshal(deliveryRecord{
		Merchant: d.Merchant, Channel: d.Channel, OrderID: d.OrderID, OrderVersion: d.OrderVersion, ChangeID: d.ChangeID,
		NotificationID: d.NotificationID, Registered: micros(d.Registered), AdapterID: d.AdapterID, Reference: d.Reference, Scope: d.Scope,
		Evidence: d.Evidence, Format: d.Format, Options: d.Options, Ordering: string(d.Ordering),
		Created: millis(d.Created), ExpiresAt: millis(d.ExpiresAt), Reason: string(d.Reason), StatusCode: d.StatusCode,
		Attempts: d.Attempts, Counted: d.Counted, NextAttemptAt: millis(d.NextAttemptAt),
		NextTrigger: string(d.NextTrigger), Lone: d.Lone, WasDelivered: d.WasDelivered, SettledAt: millis(d.SettledAt), Test: d.Test, Erased: d.Erased,
		Target: d.Target, ParkedAt: millis(d.ParkedAt), ParkedFor: string(d.ParkedFor), Pass: d.Pass,
	})
	if err != nil {
		return nil, err
	}
	head := fmt.Sprintf("%06x%06x%c%013d", d.Generation, revision%revisionMax, letter, millis(d.ClaimedAt))
	return append([]byte(head), body...), nil
}

// Held is a delivery as it was read; writes through it fail with ErrConflict when somebody wrote since.
type Held struct {
	dispatcher.Delivery
	revision int
	head     string
}

func decodeDelivery(id, text string) (Held, error) {
	var h Held
	if len(text) < headBytes {
		return h, fmt.Errorf("delivery %s: record of %d bytes", id, len(text))
	}
	head := text[:headBytes]
	generation, err1 := strconv.ParseInt(head[:6], 16, 64)
	revision, err2 := strconv.ParseInt(head[6:12], 16, 64)
	claimed, err3 := strconv.ParseInt(head[13:26], 10, 64)
	status, ok := letterStatuses[head[12]]
	if err1 != nil || err2 != nil || err3 != nil || !ok {
		return h, fmt.Errorf("delivery %s: head %q", id, head)
	}
	var r deliveryRecord
	if err := json.Unmarshal([]byte(text[headBytes:]), &r); err != nil {
		return h, fmt.Errorf("delivery %s: %w", id, err)
	}
	return Held{head: head, revision: int(revision), Delivery: dispatcher.Delivery{
		ID: id, Merchant: r.Merchant, Channel: r.Channel, OrderID: r.OrderID, OrderVersion: r.OrderVersion,
		ChangeID: r.ChangeID, NotificationID: r.NotificationID, Registered: fromMicros(r.Registered), AdapterID: r.AdapterID, Reference: r.Reference,
		Scope: r.Scope, Evidence: r.Evidence, Format: r.Format, Options: r.Options,
		Ordering: dispatcher.Ordering(r.Ordering), Created: fromMillis(r.Created), ExpiresAt: fromMillis(r.ExpiresAt),
		Status: status, Reason: dispatcher.Reason(r.Reason), StatusCode: r.StatusCode, Attempts: r.Attempts,
		Counted: r.Counted, NextAttemptAt: fromMillis(r.NextAttemptAt), NextTrigger: dispatcher.Trigger(r.NextTrigger),
		Lone: r.Lone, WasDelivered: r.WasDelivered, SettledAt: fromMillis(r.SettledAt), Test: r.Test, Erased: r.Erased, Generation: int(generation),
		ClaimedAt: fromMillis(claimed), Target: r.Target, ParkedAt: fromMillis(r.ParkedAt),
		ParkedFor: dispatcher.ParkReason(r.ParkedFor), Pass: r.Pass,
	}}, nil
}

// attemptRecord is how an attempt is kept; what its delivery says already is not said again.
type attemptRecord struct {
	Number        int               `json:"i,omitempty"`
	Trigger       string            `json:"g,omitempty"` // absent: automatic
	At            int64             `json:"t"`
	Method        string            `json:"m,omitempty"`
	URL           string            `json:"u,omitempty"`
	HeaderNames   []string          `json:"n,omitempty"`
	StatusCode    int               `json:"c,omitempty"`
	Header        map[string]string `json:"h,omitempty"`
	Body          []byte            `json:"b,omitempty"`
	Text          string            `json:"x,omitempty"` // the body when it is valid UTF-8: shorter than base64
	Truncated     bool              `json:"q,omitempty"`
	Duration      int64             `json:"d,omitempty"` // µs
	RemoteAddress string            `json:"a,omitempty"`
	Sent          string            `json:"s,omitempty"` // absent: yes
	Reason        string            `json:"w,omitempty"` // absent: delivered
	Detail        string            `json:"e,omitempty"`
	WillRetry     bool              `json:"r,omitempty"`
	NextAttemptAt int64             `json:"z,omitempty"`
}

func encodeAttempt(a dispatcher.Attempt) ([]byte, error) {
	r := attemptRecord{
		Number: a.Number, Trigger: string(a.Trigger), At: millis(a.At), Method: a.Method, URL: a.URL,
		HeaderNames: a.HeaderNames, StatusCode: a.StatusCode, Header: a.Header, Truncated: a.Truncated,
		Duration: a.Duration.Microseconds(), RemoteAddress: a.RemoteAddress, Sent: string(a.Sent),
		Reason: string(a.Reason), Detail: a.Detail, WillRetry: a.WillRetry, NextAttemptAt: millis(a.NextAttemptAt),
	}
	if a.Trigger == dispatcher.TriggerAutomatic {
		r.Trigger = ""
	}
	if a.Sent == dispatcher.SentYes {
		r.Sent = ""
	}
	if utf8.Valid(a.Body) {
		r.Text = string(a.Body)
	} else {
		r.Body = a.Body
	}
	plain, err := marshal(r)
	if err != nil {
		return nil, err
	}
	return pack(plain), nil
}

func decodeAttempt(id dispatcher.EventID, packed []byte) (dispatcher.Attempt, error) {
	var r attemptRecord
	plain, err := unpack(packed)
	if err == nil {
		err = json.Unmarshal(plain, &r)
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
	if r.Text != "" {
		a.Body = []byte(r.Text)
	}
	return a, nil
}
