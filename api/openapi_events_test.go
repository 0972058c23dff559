package api_test

import (
	"net/url"
	"strings"
)

func (c *contract) events(well, ill owed) {
	for _, d := range []owed{well, ill} {
		c.do(exchange{id: "getEvent", in: map[string]string{"eventId": d.event}, want: 200})
		c.do(exchange{id: "norceGetEvent", in: map[string]string{"eventId": d.event}, want: 200})
	}
	list := func(query url.Values) answer { return c.do(exchange{id: "listEvents", query: query, want: 200}) }
	first := list(url.Values{"limit": {"1"}, "reference": {"r"}})
	if got := first.at(c.t, "data", 0, "id"); got != ill.event {
		c.t.Errorf("newest = %s, want %s", got, ill.event)
	}
	second := list(url.Values{"limit": {"1"}, "reference": {"r"}, "cursor": {first.at(c.t, "pagination", "next")}})
	if got := second.at(c.t, "data", 0, "id"); got != well.event {
		c.t.Errorf("next = %s, want %s", got, well.event)
	}
	for name, value := range map[string]string{
		"orderId": ill.order, "scope": "state.completed", "notificationId": ill.notification, "deliveryId": ill.delivery,
		"adapterId": "erp", "channel": "web", "outcome": "failed", "reason": "status_5xx", "statusCode": "5xx",
		"from": "2020-01-01T00:00:00Z",
	} {
		if got := list(url.Values{name: {value}}).at(c.t, "data", 0, "id"); got != ill.event {
			c.t.Errorf("%s=%s: newest = %s, want %s", name, value, got, ill.event)
		}
	}
	if got := list(url.Values{"offset": {"1"}}).at(c.t, "pagination", "totalSize"); got != "2" {
		c.t.Errorf("totalSize = %s, want 2", got)
	}
	norce := c.do(exchange{id: "norceListEvents", query: url.Values{"order_id": {well.order}, "limit": {"5"}}, want: 200})
	if got := norce.at(c.t, "data", 0, "id"); got != well.event {
		c.t.Errorf("norce: %s, want %s", got, well.event)
	}
	for _, wrong := range []url.Values{
		{"limit": {"0"}}, {"limit": {"101"}}, {"offset": {"10001"}}, {"outcome": {"lost"}}, {"reason": {"bad_luck"}},
		{"statusCode": {"6xx"}}, {"statusCode": {"50"}}, {"from": {"yesterday"}}, {"cursor": {"x"}}, {"orderId": {strings.Repeat("x", 513)}},
	} {
		c.fails("invalid_input", exchange{id: "listEvents", query: wrong, want: 422, lawless: true})
	}
	c.fails("invalid_input", exchange{id: "listEvents", query: url.Values{"colour": {"red"}}, want: 422})
	c.fails("invalid_input", exchange{id: "norceListEvents", query: url.Values{"limit": {"0"}}, want: 422, lawless: true})
	for _, unknown := range []string{anything["eventId"], "x"} {
		for _, id := range []string{"getEvent", "norceGetEvent", "retryEvent", "norceRetryEvent"} {
			c.fails("not_found", exchange{id: id, in: map[string]string{"eventId": unknown}, want: 404, lawless: unknown == "x"})
		}
	}
	c.fails("not_found", exchange{id: "getDelivery", in: map[string]string{"deliveryId": anything["deliveryId"]}, want: 404})
}

func (c *contract) retries(well, ill owed, received <-chan told) {
	force := c.operation("retryEvent").examples(c.t)["force"]
	in := func(d owed) map[string]string { return map[string]string{"eventId": d.event} }
	merchant := map[string]string{"Authorization": "Bearer merchant"}
	c.fails("already_delivered", exchange{id: "retryEvent", in: in(well), want: 409})
	c.fails("invalid_input", exchange{id: "retryEvent", in: in(well), body: `{"force":"yes"}`, want: 422, lawless: true})
	c.fails("invalid_json", exchange{id: "retryEvent", in: in(well), body: `{`, want: 400, lawless: true})
	if a := c.do(exchange{id: "retryEvent", in: in(well), body: force, header: merchant, want: 202}); a.at(c.t, "attempt") != "2" {
		c.t.Errorf("retried: %s", a.body)
	}
	c.arrives(well, received)
	c.await(well, 2, "delivered")
	c.do(exchange{id: "norceRetryEvent", in: in(ill), want: 202})
	c.arrives(ill, received)
	c.await(ill, 2, "retrying")

	// Settled without an attempt: its Event has no request.
	c.do(exchange{id: "deleteNotification", in: map[string]string{"orderId": ill.order, "id": ill.notification}, want: 204})
	cancelled := c.do(exchange{id: "getEvent", in: map[string]string{"eventId": c.await(ill, 3, "cancelled")}, want: 200})
	if got := cancelled.at(c.t, "reason"); got != "cancelled" {
		c.t.Errorf("reason = %s", got)
	}
	c.fails("not_retryable", exchange{id: "retryEvent", in: in(ill), want: 409})
	for _, id := range []string{"getFBPIOrder", "getFBPICustomer"} {
		c.do(exchange{id: id, in: map[string]string{"orderId": well.order}, want: 200})
	}
	c.do(exchange{id: "deleteOrder", in: map[string]string{"orderId": well.order}, want: 204})
	c.do(exchange{id: "getDelivery", in: map[string]string{"deliveryId": well.delivery}, want: 200})
	c.do(exchange{id: "getSigningKeys", want: 200})
	c.fails("payload_gone", exchange{id: "retryEvent", in: in(well), body: force, want: 409})
}
