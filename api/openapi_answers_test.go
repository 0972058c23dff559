package api_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// told is what the receiver was sent.
type told struct{ path, id string }

func TestAnswersAreAsDocumented(t *testing.T) {
	t.Parallel()
	c := newContract(t, true)
	received, slow := make(chan told, 100), make(chan struct{})
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		received <- told{r.URL.Path, r.Header.Get("Webhook-Id")}
		if r.URL.Path == "/ill" {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		if r.URL.Path == "/slow" {
			select {
			case <-slow:
			case <-r.Context().Done():
			}
		}
		_, _ = io.WriteString(w, "thanks")
	}))
	t.Cleanup(receiver.Close)

	order := c.orders()
	c.notifications(order)
	well := c.deliver(receiver.URL+"/well", received, "delivered")
	ill := c.deliver(receiver.URL+"/ill", received, "retrying")
	c.events(well, ill)
	c.tests(well, receiver.URL, received, slow)
	c.retries(well, ill, received)
	c.configurations()
	c.operators()

	for id, op := range c.operations() {
		for status := range op.Operation.Responses.Map() {
			if success := status < "400"; success && !c.seen[id+" "+status] {
				t.Errorf("%s never answered %s, which the document promises", id, status)
			}
		}
	}
}

// owed is a delivery that was sent once.
type owed struct{ order, delivery, notification, event string }

// deliver makes a change, sees its delivery arrive, and waits until it stands as it must.
func (c *contract) deliver(to string, received <-chan told, status string) owed {
	c.t.Helper()
	d := owed{order: "order-of-" + to[strings.LastIndex(to, "/")+1:]}
	a := c.do(exchange{id: "putOrder", in: map[string]string{"orderId": d.order}, want: 201, body: `{"state":{"currentStatus":"completed"},
		"notifications":[{"url":"` + to + `","headers":{"X-Key":"s"},"scope":{"state":["completed"]},
		"adapterId":"erp","reference":"r","expiresAfter":"720h"}]}`})
	d.delivery, d.notification = a.at(c.t, "deliveries", 0, "id"), a.at(c.t, "deliveries", 0, "notificationId")
	c.arrives(d, received)
	d.event = c.await(d, 1, status)
	return d
}

func (c *contract) arrives(d owed, received <-chan told) {
	c.t.Helper()
	select {
	case got := <-received:
		if got.id != d.delivery {
			c.t.Fatalf("%s arrived at %s, want %s", got.id, got.path, d.delivery)
		}
	case <-time.After(10 * time.Second):
		c.t.Fatal("nothing arrived within 10 s")
	}
}

// await polls until so many attempts are recorded and the delivery has the status; it gives the id of the last Event.
func (c *contract) await(d owed, attempts int, status string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		a := c.do(exchange{id: "getDelivery", in: map[string]string{"deliveryId": d.delivery}, want: 200})
		var v struct {
			Status   string
			InFlight bool
			Attempts []struct{ EventID string }
		}
		if err := json.Unmarshal(a.body, &v); err != nil {
			c.t.Fatal(err)
		}
		if len(v.Attempts) == attempts && v.Status == status && !v.InFlight {
			return v.Attempts[attempts-1].EventID
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			c.t.Fatalf("the delivery never had %d attempts and the status %s: %s", attempts, status, a.body)
		}
	}
}

func (c *contract) operators() {
	c.do(exchange{id: "live", want: 200})
	c.do(exchange{id: "ready", want: 200})
	c.do(exchange{id: "openAPI", want: 200})
	admin := map[string]string{"Authorization": "Bearer admin", "X-Merchant": ""}
	c.do(exchange{id: "metrics", header: admin, want: 200})
	target := map[string]string{"target": "https://erp.example.com"}
	if a := c.do(exchange{id: "getTarget", in: target, header: admin, want: 200}); a.at(c.t, "state") != "closed" {
		c.t.Errorf("a target of which nothing is known: %s", a.body)
	}
	c.fails("invalid_input", exchange{id: "getTarget", in: map[string]string{"target": "ftp://x"}, header: admin, want: 422})
	c.fails("invalid_json", exchange{id: "putTarget", in: target, header: admin, body: `{`, want: 400, lawless: true})
	c.fails("invalid_input", exchange{id: "putTarget", in: target, header: admin, body: `{"maxInFlight":0,"ratePerSecond":"x"}`, want: 422, lawless: true})
	a := c.do(exchange{id: "putTarget", in: target, header: admin, body: `{"maxInFlight":2,"ratePerSecond":0.5}`, want: 200})
	if a.at(c.t, "target") != "https://erp.example.com:443" || a.at(c.t, "maxInFlight") != "2" || a.at(c.t, "ratePerSecond") != "0.5" {
		c.t.Errorf("limits: %s", a.body)
	}
	c.do(exchange{id: "resumeTarget", in: target, header: admin, want: 200})
	c.do(exchange{id: "listTargets", header: admin, want: 200})
	c.fails("invalid_input", exchange{id: "listTargets", header: admin, query: url.Values{"state": {"odd"}}, want: 422, lawless: true})
}
