package dispatcher

import (
	"strconv"
	"strings"
	"time"
)

// Event is the record of one attempt of a delivery, or of its settlement without one.
type Event struct {
	ID             string            `json:"id"`
	Timestamp      time.Time         `json:"timestamp"`
	Merchant       string            `json:"merchant"`
	Channel        string            `json:"channel"`
	OrderID        string            `json:"orderId"`
	OrderVersion   int64             `json:"orderVersion"`
	DeliveryID     string            `json:"deliveryId"`
	NotificationID string            `json:"notificationId"`
	AdapterID      string            `json:"adapterId,omitempty"`
	Reference      string            `json:"reference,omitempty"`
	Scope          []string          `json:"scope"`
	Attempt        int               `json:"attempt"` // 0: settled before any attempt
	Trigger        Trigger           `json:"trigger"`
	Request        EventRequest      `json:"request"`
	StatusCode     int               `json:"statusCode,omitempty"`
	ResponseHeader map[string]string `json:"responseHeaders,omitempty"`
	ResponseBody   string            `json:"responseBody,omitempty"`
	Truncated      bool              `json:"responseTruncated,omitempty"`
	DurationMs     int64             `json:"durationMs"`
	RemoteAddress  string            `json:"remoteAddress,omitempty"`
	Outcome        Outcome           `json:"outcome"`
	Reason         Reason            `json:"reason,omitempty"`
	Detail         string            `json:"detail,omitempty"` // what was missing, in words of our own
	Sent           Sent              `json:"sent"`
	WillRetry      bool              `json:"willRetry"`
	NextAttemptAt  *time.Time        `json:"nextAttemptAt,omitempty"`
}

// EventRequest is what was sent, without secrets: header values and query values are redacted.
type EventRequest struct {
	Method  string            `json:"method,omitempty"`
	URL     string            `json:"url,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
}

// Attempt is what one attempt did, before it is told to anybody.
type Attempt struct {
	ID            EventID
	Number        int
	Trigger       Trigger
	At            time.Time
	Method        string
	URL           string   // redacted
	HeaderNames   []string // of the notification's own headers
	StatusCode    int
	Header        map[string]string // of the answer
	Body          []byte            // of the answer, at most 16 KiB
	Truncated     bool
	Duration      time.Duration
	RemoteAddress string
	Sent          Sent
	Outcome       Outcome
	Reason        Reason
	Detail        string // see Explain
	WillRetry     bool
	NextAttemptAt time.Time
}

// MaxDetailBytes bounds the detail of an Event.
const MaxDetailBytes = 256

// Explain returns the text of a fault as the detail of an Event: bounded. It is for texts of formats, placeholders and
// seals, which name what is missing and hold no value of the order, the query or a header.
func Explain(text string) string {
	if len(text) <= MaxDetailBytes {
		return text
	}
	return strings.ToValidUTF8(text[:MaxDetailBytes], "")
}

// Settlement returns the Event of a delivery that is settled without a request.
func (d Delivery) Settlement(reason Reason, now time.Time) Attempt {
	return Attempt{
		ID: NewEventID(now, d.Ref().Shard()), Number: d.Attempts, Trigger: d.NextTrigger, At: now,
		Sent: SentNo, Outcome: Failed, Reason: reason,
	}
}

// NewEvent tells an attempt as merchants see it.
func NewEvent(d Delivery, a Attempt) Event {
	e := Event{
		ID: a.ID.String(), Timestamp: a.At, Merchant: d.Merchant, Channel: d.Channel, OrderID: d.OrderID,
		OrderVersion: d.OrderVersion, DeliveryID: d.ID, NotificationID: d.NotificationID, AdapterID: d.AdapterID,
		Reference: d.Reference, Scope: d.Scope, Attempt: a.Number, Trigger: a.Trigger,
		Request: EventRequest{Method: a.Method, URL: a.URL}, StatusCode: a.StatusCode, ResponseHeader: a.Header,
		ResponseBody: strings.ToValidUTF8(string(a.Body), "\uFFFD"), Truncated: a.Truncated,
		DurationMs: a.Duration.Milliseconds(), RemoteAddress: a.RemoteAddress, Outcome: a.Outcome, Reason: a.Reason,
		Detail: a.Detail,
		Sent:   a.Sent, WillRetry: a.WillRetry,
	}
	if a.Sent != SentNo && a.Reason != ReasonInterrupted {
		e.Request.Headers = map[string]string{
			"webhook-id":              d.ID,
			"webhook-timestamp":       strconv.FormatInt(a.At.Unix(), 10),
			"X-Tidings-Attempt":       strconv.Itoa(a.Number),
			"X-Tidings-Event":         e.ID,
			"X-Tidings-Order":         d.OrderID,
			"X-Tidings-Order-Version": strconv.FormatInt(d.OrderVersion, 10),
		}
		if d.Test {
			e.Request.Headers["X-Tidings-Test"] = "true"
		}
		for _, name := range a.HeaderNames {
			e.Request.Headers[name] = Redacted
		}
	}
	if !a.NextAttemptAt.IsZero() {
		next := a.NextAttemptAt
		e.NextAttemptAt = &next
	}
	return e
}
