package api

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/tidings/tidings/dispatcher"
)

// deliveryView answers "did you tell my ERP?": what was owed and why, and what became of it.
type deliveryView struct {
	ID             string                `json:"id"`
	Status         dispatcher.Status     `json:"status"`
	Reason         dispatcher.Reason     `json:"reason,omitempty"` // of the last failure
	Merchant       string                `json:"merchant"`
	Channel        string                `json:"channel"`
	OrderID        string                `json:"orderId"`
	OrderVersion   int64                 `json:"orderVersion"`
	NotificationID string                `json:"notificationId"`
	AdapterID      string                `json:"adapterId,omitempty"`
	Reference      string                `json:"reference,omitempty"`
	Scope          []string              `json:"scope"`
	Matched        []dispatcher.Evidence `json:"matched"` // why it fired; empty when its order was deleted
	Format         string                `json:"format"`
	Ordering       dispatcher.Ordering   `json:"ordering"`
	Created        time.Time             `json:"created"`
	ExpiresAt      *time.Time            `json:"expiresAt,omitempty"`
	NextAttemptAt  *time.Time            `json:"nextAttemptAt,omitempty"`
	SettledAt      *time.Time            `json:"settledAt,omitempty"`
	InFlight       bool                  `json:"inFlight"`
	Parked         *parkedView           `json:"parked,omitempty"` // while it waits for its target
	Attempts       []attemptView         `json:"attempts"`
}

// parkedView says why a delivery waits for its target; that burns no attempts.
type parkedView struct {
	Target  string                `json:"target"`
	Since   time.Time             `json:"since"`
	Because dispatcher.ParkReason `json:"because"`
}

type attemptView struct {
	EventID    string             `json:"eventId"`
	Timestamp  time.Time          `json:"timestamp"`
	Attempt    int                `json:"attempt"`
	Trigger    dispatcher.Trigger `json:"trigger"`
	Outcome    dispatcher.Outcome `json:"outcome"`
	Reason     dispatcher.Reason  `json:"reason,omitempty"`
	StatusCode int                `json:"statusCode,omitempty"`
	Sent       dispatcher.Sent    `json:"sent"`
	DurationMs int64              `json:"durationMs"`
}

func (s *Server) getDelivery(c *gin.Context) {
	d, attempts, err := s.store.Delivery(c.Request.Context(), merchantOf(c), c.Param("deliveryId"))
	if err != nil {
		s.fail(c, err)
		return
	}
	v := deliveryView{
		ID: d.ID, Status: d.Status, Reason: d.Reason, Merchant: d.Merchant, Channel: d.Channel, OrderID: d.OrderID,
		OrderVersion: d.OrderVersion, NotificationID: d.NotificationID, AdapterID: d.AdapterID, Reference: d.Reference,
		Scope: d.Scope, Matched: d.Evidence, Format: d.Format, Ordering: d.Ordering, Created: d.Created,
		ExpiresAt: moment(d.ExpiresAt), NextAttemptAt: moment(d.NextAttemptAt), SettledAt: moment(d.SettledAt),
		InFlight: !d.ClaimedAt.IsZero(), Attempts: make([]attemptView, 0, len(attempts)),
	}
	if d.Status == dispatcher.StatusParked {
		v.Parked = &parkedView{Target: d.Target, Since: d.ParkedAt, Because: d.ParkedFor}
	}
	if v.Matched == nil {
		v.Matched = []dispatcher.Evidence{}
	}
	for _, a := range attempts {
		v.Attempts = append(v.Attempts, attemptView{
			EventID: a.ID.String(), Timestamp: a.At, Attempt: a.Number, Trigger: a.Trigger, Outcome: a.Outcome,
			Reason: a.Reason, StatusCode: a.StatusCode, Sent: a.Sent, DurationMs: a.Duration.Milliseconds(),
		})
	}
	c.PureJSON(http.StatusOK, v)
}

// moment is nil for the zero time.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
