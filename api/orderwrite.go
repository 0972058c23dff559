package api

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
	"github.com/tidings/tidings/store"
)

// adapterHeader is X-AdapterId as it is looked up: spelled otherwise, it would be spelled anew for every request.
const adapterHeader = "X-Adapterid"

// orderWrite is one PUT or PATCH, read and checked as far as that can be done without knowing the order.
type orderWrite struct {
	ref      dispatcher.OrderRef
	channel  string // X-Channel; "" when not given
	actor    string
	asks     preconditions
	body     scope.Value // without notifications and callback_urls
	register []dispatcher.Notification
	merge    bool
}

// readOrderWrite reads and checks the request; every fault of it is told at once.
func (s *Server) readOrderWrite(c *gin.Context, merge bool) (orderWrite, error) {
	w := orderWrite{merge: merge}
	var err error
	if w.asks, err = readPreconditions(c); err != nil {
		return w, err
	}
	ref, faults := s.orderRef(c)
	w.ref = ref
	w.channel, w.actor = c.GetHeader("X-Channel"), c.GetHeader(adapterHeader)
	faults = append(faults, headerFaults(w.channel, w.actor)...)
	body, err := readOrder(c.Request)
	if err != nil {
		return w, err
	}
	if body.Kind() != scope.KindObject {
		return w, invalid(append(faults, scope.Fault{Detail: "expected an object, got " + body.Kind().String()}))
	}
	w.register, err = s.readRegistrations(body, &faults)
	if err != nil {
		return w, err
	}
	w.body = body.Without("notifications", "callback_urls")
	if len(faults) > 0 {
		return w, invalid(faults)
	}
	return w, nil
}

// headerFaults have no pointer into the body; they name the header.
func headerFaults(channel, actor string) (faults scope.Faults) {
	if channel != "" && !merchantIDShape.matches(channel) {
		faults = append(faults, scope.Fault{Detail: "header X-Channel: expected 1 to 64 characters of A-Z a-z 0-9 . _ -"})
	}
	if actor != "" && !adapterIDShape.matches(actor) {
		faults = append(faults, scope.Fault{Detail: "header X-AdapterId: expected 1 to 128 characters of A-Z a-z 0-9 . _ : -"})
	}
	return faults
}

// readRegistrations reads the members that are registered and are no part of the document.
func (s *Server) readRegistrations(body scope.Value, faults *scope.Faults) ([]dispatcher.Notification, error) {
	var all []dispatcher.Notification
	list := func(name string, read func(scope.Value, scope.Pointer) (dispatcher.Notification, scope.Faults)) error {
		member := body.Member(name).Unfolded()
		if k := member.Kind(); k == scope.KindAbsent || k == scope.KindNull {
			return nil
		}
		at, err := scope.ParsePointer("/" + name)
		if err != nil {
			return err
		}
		if member.Kind() != scope.KindArray {
			*faults = append(*faults, scope.Fault{Pointer: at.String(), Detail: "expected array, got " + member.Kind().String()})
			return nil
		}
		if n := len(member.Items()); n > dispatcher.MaxNotifications {
			*faults = append(*faults, scope.Fault{Pointer: at.String(), Detail: fmt.Sprintf("expected at most %d members, got %d", dispatcher.MaxNotifications, n)})
			return nil
		}
		for i, item := range member.Items() {
			n, found := read(item, at.Child(strconv.Itoa(i)))
			*faults = append(*faults, found...)
			all = append(all, n)
		}
		return nil
	}
	if err := list("notifications", s.readNotification); err != nil {
		return nil, err
	}
	return all, list("callback_urls", s.readCallbackURL)
}

// planOrderWrite decides what the write means for the order as it stands. It is called again when somebody else wrote
// the order meanwhile. Secrets that it generated are told once it is committed.
func (s *Server) planOrderWrite(c *gin.Context, w orderWrite, state store.State) (*store.Commit, []generatedSecret, error) {
	if err := w.asks.hold(state.Order); err != nil {
		return nil, nil, err
	}
	if w.merge && !state.Order.Exists() {
		return nil, nil, fmt.Errorf("order %s: %w", w.ref.OrderID, dispatcher.ErrNotFound)
	}
	order := state.Order
	if err := setChannel(&order, w.channel, state.Known()); err != nil {
		return nil, nil, err
	}
	document := w.body
	if w.merge {
		var err error
		if document, err = merged(order.Document, w.body); err != nil {
			return nil, nil, err
		}
	}
	if status, _ := document.Member("state").Member("currentStatus").Text(); len(status) > dispatcher.MaxStatusBytes {
		return nil, nil, fault("/state/currentStatus", fmt.Sprintf("expected at most %d bytes, got %d", dispatcher.MaxStatusBytes, len(status)))
	}
	now := s.now()
	var configured []dispatcher.Notification
	if !order.Exists() {
		var err error
		if configured, err = s.configuredNotifications(c, order); err != nil {
			return nil, nil, err
		}
	}
	registered, err := registerAll(state.Notifications, configured, w.register, now)
	if err != nil {
		return nil, nil, err
	}
	commit := &store.Commit{Channel: order.Channel, Put: registered.put}
	change, changed := dispatcher.NewChange(order, document, w.actor, now)
	if !changed {
		if len(registered.put) == 0 {
			return nil, nil, nil
		}
		return commit, registered.secrets, nil
	}
	commit.Change = &change
	notifications := state.Notifications
	if len(registered.put) > 0 {
		notifications = store.MergeNotifications(notifications, registered.put)
	}
	commit.Deliveries, err = dispatcher.Plan(c.Request.Context(), change, notifications)
	return commit, registered.secrets, err
}

// merged is the document with the patch in it. One that a PUT would refuse is refused.
func merged(document, patch scope.Value) (scope.Value, error) {
	text := scope.Merge(document, patch).JSON()
	if len(text) > MaxBodyBytes {
		return scope.Value{}, problem(http.StatusRequestEntityTooLarge, "order_too_large",
			fmt.Sprintf("The merged order is larger than %d bytes.", MaxBodyBytes))
	}
	document, faults := scope.ParseFolded(text, scope.DefaultLimits)
	if len(faults) > 0 {
		return scope.Value{}, invalid(faults)
	}
	return document, nil
}

// setChannel keeps an order in the channel that it was first known in.
func setChannel(order *dispatcher.Order, channel string, known bool) error {
	switch {
	case !known && channel == "":
		return problem(http.StatusBadRequest, "channel_missing", "A new order needs the header X-Channel.")
	case known && channel != "" && channel != order.Channel:
		return problem(http.StatusConflict, "channel_differs", "The order belongs to another channel than the header X-Channel says.")
	case !known:
		order.Channel = channel
	}
	return nil
}

func (s *Server) configuredNotifications(c *gin.Context, order dispatcher.Order) ([]dispatcher.Notification, error) {
	configurations, err := s.store.Configurations(c.Request.Context(), order.Merchant, order.Channel)
	if err != nil {
		return nil, err
	}
	var all []dispatcher.Notification
	for _, configuration := range configurations {
		if configuration.Active {
			all = append(all, configuration.Notifications...)
		}
	}
	return all, nil
}

// pointers lists what changed; scope.Diff bounds it.
func pointers(changed []scope.Pointer) []string {
	all := make([]string, 0, len(changed))
	for _, p := range changed {
		all = append(all, p.String())
	}
	return all
}
