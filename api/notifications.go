package api

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
	"github.com/tidings/tidings/store"
)

// registerAll decides what registering the wanted notifications changes: what is there already is left or replaced,
// what is new gets an id. Nothing is half-registered: one fault refuses all. Those of configurations come first; they
// have no faults, and no place in the request.
func registerAll(registered, configured, requested []dispatcher.Notification, now time.Time) ([]dispatcher.Notification, error) {
	all := slices.Clone(registered)
	var put []dispatcher.Notification
	var faults scope.Faults
	for i, n := range slices.Concat(configured, requested) {
		at := scope.Pointer{}.Child("notifications").Child(strconv.Itoa(i - len(configured)))
		same := dispatcher.FindSame(all, n)
		if same < 0 {
			n, found := renew(n, dispatcher.Notification{}, at)
			faults = append(faults, found...)
			// Created is the order of registration, too: those of one request are a microsecond apart.
			n.Created = now.Add(time.Duration(i) * time.Microsecond)
			if n.ID == "" {
				n.ID = dispatcher.NewID(n.Created)
			}
			all, put = append(all, n), append(put, n)
			continue
		}
		n, found := renew(n, all[same], at)
		faults = append(faults, found...)
		if !n.SameContent(all[same]) {
			all[same] = n
			put = slices.DeleteFunc(put, func(p dispatcher.Notification) bool { return p.ID == n.ID })
			put = append(put, n)
		}
	}
	if len(faults) > 0 {
		return nil, invalid(faults)
	}
	if err := fit(all, "/notifications"); err != nil {
		return nil, err
	}
	return put, nil
}

// fit refuses more notifications on one order than every change of it can read and keep.
func fit(all []dispatcher.Notification, at string) error {
	size := 0
	for _, n := range all {
		size += n.Bytes()
	}
	switch {
	case len(all) > dispatcher.MaxNotifications:
		return fault(at, fmt.Sprintf("an order holds at most %d notifications", dispatcher.MaxNotifications))
	case size > dispatcher.MaxRegisteredBytes:
		return fault(at, fmt.Sprintf("the notifications of an order hold at most %d bytes together, these would be %d", dispatcher.MaxRegisteredBytes, size))
	}
	return nil
}

// renew gives a notification the identity of the one that it replaces, and fills secrets that were read back redacted
// with those that are registered.
func renew(n, old dispatcher.Notification, at scope.Pointer) (dispatcher.Notification, scope.Faults) {
	var faults scope.Faults
	n.Headers = slices.Clone(n.Headers)
	for i, h := range n.Headers {
		if h.Value.Reveal() != dispatcher.Redacted {
			continue
		}
		j := slices.IndexFunc(old.Headers, func(o dispatcher.Header) bool { return strings.EqualFold(o.Name, h.Name) })
		if j < 0 {
			faults = append(faults, scope.Fault{Pointer: at.Child("headers").Child(h.Name).String(), Detail: "is redacted, and no value is registered that it could stand for"})
			continue
		}
		n.Headers[i].Value = old.Headers[j].Value
	}
	if n.SigningSecret.Reveal() == dispatcher.Redacted {
		if n.SigningSecret = old.SigningSecret; n.SigningSecret == "" {
			faults = append(faults, scope.Fault{Pointer: at.Child("signing").Child("secret").String(), Detail: "is redacted, and no secret is registered that it could stand for"})
		}
	}
	if old.ID != "" {
		n.ID, n.Created = old.ID, old.Created
	}
	return n, faults
}

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
	status, result := http.StatusCreated, n
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
			return nil, nil
		}
		fresh.Created = s.now().Truncate(time.Microsecond) // as the store keeps it
		if fresh.ID == "" {
			fresh.ID = s.notificationID(c, ref, fresh.Created)
		}
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
	c.PureJSON(status, viewNotification(result))
}

// notificationID is random, but derived from the Idempotency-Key where there is one: a request that is repeated because
// the first one died before its answer was kept then registers the same notification, not a second one.
func (s *Server) notificationID(c *gin.Context, ref dispatcher.OrderRef, now time.Time) string {
	if key := c.GetHeader(idempotencyHeader); key != "" {
		return dispatcher.DeliveryID(ref, "notification:"+ref.OrderID, key)
	}
	return dispatcher.NewID(now)
}

func (s *Server) listNotifications(c *gin.Context) {
	state, err := s.loadKnown(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	views := make([]notificationView, 0, len(state.Notifications))
	for _, n := range state.Notifications {
		views = append(views, viewNotification(n))
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
	c.PureJSON(http.StatusOK, viewNotification(n))
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
		if err := fit(store.MergeNotifications(state.Notifications, []dispatcher.Notification{result}), ""); err != nil {
			return nil, err
		}
		return &store.Commit{Put: []dispatcher.Notification{result}}, nil
	})
	if err != nil {
		s.fail(c, err)
		return
	}
	c.PureJSON(http.StatusOK, viewNotification(result))
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
