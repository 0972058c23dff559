package api

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
	"github.com/tidings/tidings/store"
)

// readOneNotification reads the body of POST and PUT.
func (s *Server) readOneNotification(c *gin.Context) (dispatcher.OrderRef, dispatcher.Notification, error) {
	ref, faults := s.orderRef(c)
	faults = append(faults, headerFaults(c.GetHeader("X-Channel"), c.GetHeader("X-AdapterId"))...)
	body, err := readJSON(c.Request)
	if err != nil {
		return ref, dispatcher.Notification{}, err
	}
	n, more := s.readNotification(body, scope.Pointer{})
	if faults = append(faults, more...); len(faults) > 0 {
		return ref, n, invalid(faults)
	}
	return ref, n, nil
}

// postNotification registers one. Registered again with the same content it is the same (200).
func (s *Server) postNotification(c *gin.Context) {
	ref, n, err := s.readOneNotification(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	status, result, show := http.StatusCreated, n, false
	mark := s.markOf(c, "")
	err = s.producer.Commit(c.Request.Context(), ref, func(state store.State) (*store.Commit, error) {
		order := state.Order
		if err := setChannel(&order, c.GetHeader("X-Channel"), state.Known()); err != nil {
			return nil, err
		}
		fresh, faults := renew(n, dispatcher.Notification{}, scope.Pointer{})
		if len(faults) > 0 {
			return nil, invalid(faults)
		}
		same := slices.IndexFunc(state.Notifications, fresh.SameContent)
		if fresh.ID != "" {
			same = slices.IndexFunc(state.Notifications, func(r dispatcher.Notification) bool { return r.ID == fresh.ID })
		}
		switch {
		case same >= 0 && !fresh.SameContent(state.Notifications[same]):
			return nil, problem(http.StatusConflict, "id_taken", "Another notification of this order has this id; PUT replaces it.")
		case same >= 0:
			status, result = http.StatusOK, state.Notifications[same]
			// Its first answer was lost with the process that made it: only this request can know the secret.
			show = len(fresh.Secrets) == 0 && mark != "" && len(result.Secrets) == 1 && result.Secrets[0].Mark == mark
			return nil, nil
		}
		fresh.Created = s.now().Truncate(time.Microsecond) // as the store keeps it
		if fresh.ID == "" {
			fresh.ID = s.notificationID(c, ref, fresh.Created)
		}
		fresh, show = withSecret(fresh, mark)
		if err := fit(append(slices.Clone(state.Notifications), fresh), ""); err != nil {
			return nil, err
		}
		status, result = http.StatusCreated, fresh
		return &store.Commit{Channel: order.Channel, Put: []dispatcher.Notification{fresh}}, nil
	})
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Header("Location", "/api/v0/checkout/orders/"+ref.OrderID+"/notifications/"+result.ID)
	s.answerNotification(c, status, result, show)
}

// notificationID is random, but derived from the Idempotency-Key where there is one: a request that is repeated because
// the first one died before its answer was kept then registers the same notification, not a second one.
func (s *Server) notificationID(c *gin.Context, ref dispatcher.OrderRef, now time.Time) string {
	if key := c.GetHeader(idempotencyHeader); key != "" {
		return dispatcher.DeliveryID(ref, "notification:"+ref.OrderID, digest(s.holder(c), key))
	}
	return dispatcher.NewID(now)
}

func (s *Server) listNotifications(c *gin.Context) {
	state, err := s.loadKnown(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	views, err := s.viewNotifications(c, state.Notifications)
	if err != nil {
		s.fail(c, err)
		return
	}
	c.PureJSON(http.StatusOK, gin.H{"data": views})
}

func (s *Server) getNotification(c *gin.Context) {
	state, err := s.loadKnown(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	n, ok := state.Notification(c.Param("id"))
	if !ok {
		s.fail(c, missingNotification(c.Param("id")))
		return
	}
	s.answerNotification(c, http.StatusOK, n, false)
}

// putNotification replaces one; a notification that its target had stopped lives again.
func (s *Server) putNotification(c *gin.Context) {
	ref, n, err := s.readOneNotification(c)
	if err == nil && n.ID != "" && n.ID != c.Param("id") {
		err = fault("/id", "differs from the id in the path")
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	var result dispatcher.Notification
	show := false
	err = s.producer.Commit(c.Request.Context(), ref, func(state store.State) (*store.Commit, error) {
		if order := state.Order; state.Known() {
			if err := setChannel(&order, c.GetHeader("X-Channel"), true); err != nil {
				return nil, err
			}
		}
		old, ok := state.Notification(c.Param("id"))
		if !ok {
			return nil, missingNotification(c.Param("id"))
		}
		var faults scope.Faults
		if result, faults = renew(n, old, scope.Pointer{}); len(faults) > 0 {
			return nil, invalid(faults)
		}
		result, show = withSecret(result, "")
		if err := fit(store.MergeNotifications(state.Notifications, []dispatcher.Notification{result}), ""); err != nil {
			return nil, err
		}
		return &store.Commit{Put: []dispatcher.Notification{result}}, nil
	})
	if err != nil {
		s.fail(c, err)
		return
	}
	s.answerNotification(c, http.StatusOK, result, show)
}

// deleteNotification removes one; its open deliveries are cancelled and say so.
func (s *Server) deleteNotification(c *gin.Context) {
	ref, faults := s.orderRef(c)
	if len(faults) > 0 {
		s.fail(c, invalid(faults))
		return
	}
	id := c.Param("id")
	err := s.producer.Commit(c.Request.Context(), ref, func(state store.State) (*store.Commit, error) {
		if _, ok := state.Notification(id); !ok {
			return nil, missingNotification(id)
		}
		return &store.Commit{Remove: []string{id}}, nil
	})
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}

func (s *Server) loadKnown(c *gin.Context) (store.State, error) {
	state, err := s.loadOrder(c)
	if err == nil && !state.Known() {
		err = fmt.Errorf("order: %w", dispatcher.ErrNotFound)
	}
	return state, err
}

func missingNotification(id string) error {
	return fmt.Errorf("notification %s: %w", id, dispatcher.ErrNotFound)
}
