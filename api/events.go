package api

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
	"github.com/tidings/tidings/store"
)

const (
	defaultLimit = 10
	maxLimit     = 100
	maxOffset    = 10_000
)

// eventQuery is a query for Events as read from the query string.
type eventQuery struct {
	store.Query
	offset int // -1: paged by cursor
}

type eventPage struct {
	Data       []dispatcher.Event `json:"data"`
	Pagination any                `json:"pagination"`
}

type cursorPagination struct {
	Limit int    `json:"limit"`
	Size  int    `json:"size"`
	Next  string `json:"next,omitempty"`
}

type offsetPagination struct {
	Offset    int   `json:"offset"`
	Limit     int   `json:"limit"`
	Size      int   `json:"size"`
	TotalSize int64 `json:"totalSize"`
}

func (s *Server) listEvents(c *gin.Context) {
	values, err := queryOf(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	q, faults := readEventQuery(merchantOf(c), values)
	if len(faults) > 0 {
		s.fail(c, invalid(faults))
		return
	}
	if q.offset >= 0 {
		entries, total, err := s.store.CountEvents(c.Request.Context(), q.Query, q.offset)
		if err != nil {
			s.fail(c, err)
			return
		}
		c.PureJSON(http.StatusOK, eventPage{viewEvents(entries), offsetPagination{q.offset, q.Limit, len(entries), total}})
		return
	}
	page, err := s.store.Events(c.Request.Context(), q.Query)
	if err != nil {
		s.fail(c, err)
		return
	}
	p := cursorPagination{Limit: q.Limit, Size: len(page.Entries)}
	if page.Next != nil {
		p.Next = encodeCursor(*page.Next, filterOf(values))
	}
	c.PureJSON(http.StatusOK, eventPage{viewEvents(page.Entries), p})
}

func viewEvents(entries []store.Entry) []dispatcher.Event {
	events := make([]dispatcher.Event, 0, len(entries))
	for _, e := range entries {
		events = append(events, dispatcher.NewEvent(e.Delivery, e.Attempt))
	}
	return events
}

// queryOf reads the whole query string: a filter that cannot be read must not become one that was not given.
func queryOf(c *gin.Context) (url.Values, error) {
	values, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return nil, fault("", "the query string cannot be read: expected name=value pairs with & between them, other characters as %XX")
	}
	return values, nil
}

// readEventQuery reads the query string; a fault's pointer is the parameter's name behind a slash.
func readEventQuery(merchant string, values url.Values) (eventQuery, scope.Faults) {
	q := eventQuery{Query: store.Query{Merchant: merchant, Limit: defaultLimit}, offset: -1}
	var faults scope.Faults
	bad := func(name, detail string) { faults = append(faults, scope.Fault{Pointer: "/" + name, Detail: detail}) }
	for _, name := range slices.Sorted(maps.Keys(values)) {
		value := values.Get(name)
		if len(values[name]) > 1 {
			bad(name, "is given more than once")
			continue
		}
		if value == "" || len(value) > 512 {
			bad(name, "expected 1 to 512 bytes")
			continue
		}
		if text, ok := q.text(name); ok {
			*text = value
			continue
		}
		switch name {
		case "outcome":
			if q.Outcome = dispatcher.Outcome(value); q.Outcome != dispatcher.Delivered && q.Outcome != dispatcher.Failed {
				bad(name, "expected one of: delivered, failed")
			}
		case "reason":
			if q.Reason = dispatcher.Reason(value); !slices.Contains(dispatcher.Reasons, q.Reason) {
				bad(name, "is no reason that an event can have")
			}
		case "statusCode":
			if q.StatusCode = value; !statusCodeShape(value) {
				bad(name, "expected a status such as 503, or a class from 2xx to 5xx")
			}
		case "target":
			var err error
			if q.Target, err = dispatcher.ParseTarget(value); err != nil {
				bad(name, err.Error())
			}
		case "from":
			q.From = readTime(name, value, bad)
		case "to":
			q.To = readTime(name, value, bad)
		case "limit":
			q.Limit = readNumber(name, value, 1, maxLimit, bad)
		case "offset":
			q.offset = readNumber(name, value, 0, maxOffset, bad)
		case "cursor":
			before, err := decodeCursor(value, filterOf(values))
			if err != nil {
				bad(name, err.Error())
			}
			q.Before = &before
		default:
			bad(name, "unknown parameter")
		}
	}
	if q.offset >= 0 && q.Before != nil {
		bad("offset", "cursor and offset are two ways to page; expected one of them")
	}
	return q, faults
}

// text returns the field of a filter that takes any text.
func (q *eventQuery) text(name string) (*string, bool) {
	field, ok := map[string]*string{
		"orderId": &q.OrderID, "scope": &q.Scope, "notificationId": &q.NotificationID, "deliveryId": &q.DeliveryID,
		"adapterId": &q.AdapterID, "reference": &q.Reference, "channel": &q.Channel,
	}[name]
	return field, ok
}

func statusCodeShape(value string) bool {
	if class, ok := strings.CutSuffix(value, "xx"); ok {
		return len(class) == 1 && class[0] >= '2' && class[0] <= '5'
	}
	n, err := strconv.Atoi(value)
	return err == nil && len(value) == 3 && n >= 100
}

func readTime(name, value string, bad func(name, detail string)) time.Time {
	t, err := time.Parse(time.RFC3339, value)
	if err != nil {
		bad(name, "expected a time such as 2026-01-31T12:00:00Z (a + in the zone is written %2B in a URL)")
	}
	return t
}

func readNumber(name, value string, least, most int, bad func(name, detail string)) int {
	n, err := strconv.Atoi(value)
	if err != nil || n < least || n > most {
		bad(name, "expected a whole number from "+strconv.Itoa(least)+" to "+strconv.Itoa(most))
		return least
	}
	return n
}

func (s *Server) getEvent(c *gin.Context) {
	held, attempt, err := s.store.Event(c.Request.Context(), merchantOf(c), c.Param("eventId"))
	if err != nil {
		s.fail(c, err)
		return
	}
	c.PureJSON(http.StatusOK, dispatcher.NewEvent(held.Delivery, attempt))
}

type retryRequest struct {
	Force bool `json:"force"`
}

// retryEvent sends the delivery behind an Event again, at once.
func (s *Server) retryEvent(c *gin.Context) {
	var in retryRequest
	text, err := readBody(c.Request)
	if err == nil && len(text) > 0 { // no body means no force
		var body scope.Value
		if body, err = parseJSON(text); err == nil {
			if faults := bind(body, &in, scope.Pointer{}); len(faults) > 0 {
				err = invalid(faults)
			}
		}
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	done, err := s.producer.Retry(c.Request.Context(), merchantOf(c), c.Param("eventId"), in.Force)
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Header("Location", "/api/v0/checkout/notifications/deliveries/"+done.DeliveryID)
	c.PureJSON(http.StatusAccepted, gin.H{"deliveryId": done.DeliveryID, "attempt": done.Attempt})
}
