package api

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
	"github.com/tidings/tidings/store"
)

// orderAnswer tells what a PUT or PATCH did.
type orderAnswer struct {
	OrderID    string           `json:"orderId"`
	Version    int64            `json:"version"`
	Changed    []string         `json:"changed"`
	Deliveries []deliveryAnswer `json:"deliveries"`
	// Secrets that were generated for notifications of this request; no other answer tells them.
	Secrets []generatedSecret `json:"secrets,omitempty"`
}

type deliveryAnswer struct {
	ID             string   `json:"id"`
	NotificationID string   `json:"notificationId"`
	Scope          []string `json:"scope"`
}

func (s *Server) putOrder(c *gin.Context)   { s.writeOrder(c, false) }
func (s *Server) patchOrder(c *gin.Context) { s.writeOrder(c, true) }

func (s *Server) writeOrder(c *gin.Context, merge bool) {
	w, err := s.readOrderWrite(c, merge)
	if err != nil {
		s.fail(c, err)
		return
	}
	answer, created := orderAnswer{OrderID: w.ref.OrderID, Changed: []string{}, Deliveries: []deliveryAnswer{}}, false
	err = s.producer.Commit(c.Request.Context(), w.ref, func(state store.State) (*store.Commit, error) {
		commit, secrets, err := s.planOrderWrite(c, w, state)
		if err != nil {
			return nil, err
		}
		answer.Version, answer.Changed, answer.Deliveries = state.Order.Version, []string{}, []deliveryAnswer{}
		answer.Secrets = secrets
		created = !state.Order.Exists()
		if commit == nil || commit.Change == nil {
			return commit, nil
		}
		answer.Version = commit.Change.Order.Version
		answer.Changed = pointers(commit.Change.Changed)
		for _, d := range commit.Deliveries {
			answer.Deliveries = append(answer.Deliveries, deliveryAnswer{d.ID, d.NotificationID, d.Scope})
		}
		return commit, nil
	})
	if err != nil {
		s.fail(c, err)
		return
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
		c.Header("Location", "/api/v0/checkout/orders/"+w.ref.OrderID)
	}
	c.Header("ETag", etag(answer.Version))
	c.PureJSON(status, answer)
}

func (s *Server) orderRef(c *gin.Context) (dispatcher.OrderRef, scope.Faults) {
	ref := dispatcher.OrderRef{Merchant: merchantOf(c), OrderID: c.Param("orderId")}
	if !orderIDShape.matches(ref.OrderID) {
		return ref, scope.Faults{{Detail: "order id: expected 1 to 128 characters of A-Z a-z 0-9 . _ : -"}}
	}
	return ref, nil
}

func (s *Server) getOrder(c *gin.Context) {
	state, err := s.loadOrder(c)
	if err == nil && !state.Order.Exists() {
		err = fmt.Errorf("order: %w", dispatcher.ErrNotFound)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	tag := etag(state.Order.Version)
	c.Header("ETag", tag)
	c.Header("Last-Modified", state.Order.Modified.UTC().Format(http.TimeFormat))
	if noneMatch := c.GetHeader("If-None-Match"); noneMatch == "*" || slices.ContainsFunc(listOf(noneMatch), func(seen string) bool {
		return strings.TrimPrefix(seen, "W/") == tag // a weak comparison (RFC 9110 §13.1.2): proxies that compress weaken tags
	}) {
		c.Status(http.StatusNotModified)
		return
	}
	c.Data(http.StatusOK, "application/json", state.Order.Document.JSON())
}

func (s *Server) deleteOrder(c *gin.Context) {
	ref, faults := s.orderRef(c)
	if len(faults) > 0 {
		s.fail(c, invalid(faults))
		return
	}
	conditions, err := readPreconditions(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	err = s.producer.DeleteOrder(c.Request.Context(), ref, func(state store.State) error {
		return conditions.hold(state.Order)
	})
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}

// loadOrder reads what is known of the order of the path.
func (s *Server) loadOrder(c *gin.Context) (store.State, error) {
	ref, faults := s.orderRef(c)
	if len(faults) > 0 {
		return store.State{}, invalid(faults)
	}
	return s.store.Load(c.Request.Context(), ref)
}

func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

func listOf(header string) (items []string) {
	for item := range strings.SplitSeq(header, ",") {
		if item = strings.Trim(item, " \t"); item != "" { // OWS (RFC 9110 §5.6.3)
			items = append(items, item)
		}
	}
	return items
}
