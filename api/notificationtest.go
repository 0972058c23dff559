package api

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/tidings/tidings/dispatcher"
)

const (
	// DefaultTestWait lies below the time that a stopping process leaves to the requests in its hands.
	DefaultTestWait = 14 * time.Second
	// testPoll is the pause between two looks for the Event.
	testPoll = 25 * time.Millisecond
)

// testNotification sends a sample and answers with its Event. Whatever happens after it was committed, the answer names
// the delivery: asked again, it would be sent again.
func (s *Server) testNotification(c *gin.Context) {
	ref, faults := s.orderRef(c)
	if len(faults) > 0 {
		s.fail(c, invalid(faults))
		return
	}
	d, err := s.producer.Test(c.Request.Context(), ref, c.Param("id"))
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Header("Location", "/api/v0/checkout/notifications/deliveries/"+d.ID)
	ctx, cancel := context.WithTimeout(c.Request.Context(), s.testWait)
	defer cancel()
	if event, ok := s.awaitEvent(ctx, d); ok {
		c.PureJSON(http.StatusOK, event)
		return
	}
	c.PureJSON(http.StatusAccepted, gin.H{"deliveryId": d.ID})
}

// awaitEvent looks for the delivery's Event until the context ends. A store that does not answer is asked again.
func (s *Server) awaitEvent(ctx context.Context, d dispatcher.Delivery) (dispatcher.Event, bool) {
	tick := time.NewTicker(testPoll)
	defer tick.Stop()
	for {
		held, attempts, err := s.store.Delivery(ctx, d.Merchant, d.ID)
		if err == nil && len(attempts) > 0 {
			return dispatcher.NewEvent(held.Delivery, attempts[len(attempts)-1]), true
		}
		select {
		case <-ctx.Done():
			return dispatcher.Event{}, false
		case <-tick.C:
		}
	}
}
