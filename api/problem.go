package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
	"github.com/tidings/tidings/store"
)

// Problem is an RFC 9457 problem. Code is stable and meant for programs; Detail is meant for people.
type Problem struct {
	Type   string       `json:"type"`
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Detail string       `json:"detail"`
	Code   string       `json:"code"`
	Errors scope.Faults `json:"errors,omitempty"`

	retryAfter int // seconds; 0: no such header
}

// Error lets a Problem travel as an error from where it is found to where it is answered.
func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

func problem(status int, code, detail string) *Problem {
	return &Problem{
		Type: "urn:tidings:problem:" + code, Title: http.StatusText(status), Status: status, Detail: detail, Code: code,
	}
}

// maxFaults bounds an answer; a body may hold many more faults than a person would read (scope.Parse stops there, too).
const maxFaults = 100

// invalid answers faults of a body or query whose JSON could be read.
func invalid(faults scope.Faults) *Problem {
	p := problem(http.StatusUnprocessableEntity, "invalid_input", "The input has faults; errors lists every one.")
	if len(faults) > maxFaults {
		faults = append(faults[:maxFaults:maxFaults], scope.Fault{Detail: "more faults are not listed"})
	}
	p.Errors = faults
	return p
}

func fault(pointer, detail string) *Problem {
	return invalid(scope.Faults{{Pointer: pointer, Detail: detail}})
}

// kinds maps what can go wrong inside to what a client is told. Inner texts never reach a client.
var kinds = []struct {
	kind   error
	status int
	code   string
	detail string
	retry  int
}{
	{dispatcher.ErrNotFound, 404, "not_found", "There is no such thing for this merchant.", 0},
	{dispatcher.ErrDelivered, 409, "already_delivered", `The delivery has succeeded already; send {"force":true} to send it again.`, 0},
	{dispatcher.ErrStopped, 409, "notification_stopped", "Its target has stopped the notification (410); PUT it again first.", 0},
	{dispatcher.ErrInFlight, 409, "attempt_in_flight", "An attempt of this delivery is in flight at this moment.", 1},
	{dispatcher.ErrPayloadGone, 409, "payload_gone", "What was to be sent is no longer stored.", 0},
	{dispatcher.ErrConflict, 409, "concurrent_writers", "Others kept writing the same order; try again.", 1},
	{store.ErrTooMany, 422, "too_many_to_count", "Too many events to count with these filters; use cursor instead of offset, or other filters.", 0},
	{dispatcher.ErrUnavailable, 503, "store_unavailable", "The store does not answer; nothing was lost, try again.", 1},
	{context.Canceled, 503, "timed_out", "The client went away before the answer.", 1},
	{context.DeadlineExceeded, 503, "timed_out", "The request took too long; try again.", 1},
}

// problemOf turns any error into what is answered.
func problemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return problem(http.StatusRequestEntityTooLarge, "body_too_large",
			"The body is larger than "+strconv.FormatInt(tooLarge.Limit, 10)+" bytes.")
	}
	if errors.Is(err, dispatcher.ErrNotOpen) { // its wrapping text is made for clients
		return problem(http.StatusConflict, "not_retryable", err.Error())
	}
	for _, k := range kinds {
		if errors.Is(err, k.kind) {
			p := problem(k.status, k.code, k.detail)
			p.retryAfter = k.retry
			return p
		}
	}
	return problem(http.StatusInternalServerError, "internal", "Something went wrong here; it has been logged.")
}

// fail answers an error.
func (s *Server) fail(c *gin.Context, err error) {
	p := problemOf(err)
	if p.Status >= 500 && !errors.Is(err, context.Canceled) {
		s.log.ErrorContext(c.Request.Context(), "request.failed", "method", c.Request.Method, "route", c.FullPath(),
			"status", p.Status, "error", err)
	}
	writeProblem(c, p)
}

func writeProblem(c *gin.Context, p *Problem) {
	if p.retryAfter > 0 {
		c.Header("Retry-After", strconv.Itoa(p.retryAfter))
	}
	text, err := json.Marshal(p)
	if err != nil { // a Problem holds nothing that cannot be encoded
		text = []byte("{}")
	}
	c.Abort()
	c.Data(p.Status, "application/problem+json", text)
}
