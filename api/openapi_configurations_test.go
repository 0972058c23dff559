package api_test

import "strings"

func (c *contract) tests(well owed, base string, received <-chan told, slow chan<- struct{}) {
	in := func(order, id string) map[string]string { return map[string]string{"orderId": order, "id": id} }
	merchant := map[string]string{"Authorization": "Bearer merchant"}
	a := c.do(exchange{id: "testNotification", in: in(well.order, well.notification), header: merchant, want: 200})
	if a.at(c.t, "trigger") != "test" || a.at(c.t, "request", "headers", "X-Tidings-Test") != "true" || a.at(c.t, "outcome") != "delivered" {
		c.t.Errorf("test: %s", a.body)
	}
	c.arrives(owed{delivery: a.at(c.t, "deliveryId")}, received)
	c.do(exchange{id: "getDelivery", in: map[string]string{"deliveryId": a.at(c.t, "deliveryId")}, want: 200})
	c.fails("not_retryable", exchange{id: "retryEvent", in: map[string]string{"eventId": a.at(c.t, "id")}, body: `{"force":true}`, want: 409})
	c.fails("not_found", exchange{id: "testNotification", in: in(well.order, "none"), want: 404})

	// Ahead of the order's first document, and too slow to be waited for.
	c.do(exchange{id: "postNotification", in: map[string]string{"orderId": "ahead"}, want: 201,
		body: `{"id":"n1","url":"` + base + `/slow","scope":{"state":["paid"]}}`})
	late := owed{delivery: c.do(exchange{id: "testNotification", in: in("ahead", "n1"), want: 202}).at(c.t, "deliveryId")}
	c.arrives(late, received)
	close(slow)
	event := c.await(late, 1, "delivered")
	if a := c.do(exchange{id: "getEvent", in: map[string]string{"eventId": event}, want: 200}); a.at(c.t, "orderVersion") != "0" || a.at(c.t, "scope") != "[state.paid]" {
		c.t.Errorf("Event: %s", a.body)
	}
}

func (c *contract) configurations() {
	for prefix, in := range map[string]map[string]string{
		"":      {"adapterId": "erp"},
		"norce": {"merchant": "acme", "channel": "pos", "adapterId": "erp"},
	} {
		id := func(verb string) string {
			if prefix == "" {
				return strings.ToLower(verb) + "Configuration"
			}
			return prefix + verb + "Configuration"
		}
		body := c.operation(id("Put")).examples(c.t)["erp"]
		c.fails("not_found", exchange{id: id("Get"), in: in, want: 404})
		c.do(exchange{id: id("Put"), in: in, body: body, want: 201})
		c.do(exchange{id: id("Put"), in: in, body: body, want: 200})
		if a := c.do(exchange{id: id("Get"), in: in, want: 200}); a.at(c.t, "notifications", 0, "adapterId") != "erp" {
			c.t.Errorf("configuration = %s", a.body)
		}
		c.fails("invalid_input", exchange{id: id("Put"), in: in, body: `{"active":1,"notifications":[{}]}`, want: 422, lawless: true})
		c.fails("invalid_json", exchange{id: id("Put"), in: in, body: `{`, want: 400, lawless: true})
		c.do(exchange{id: id("Delete"), in: in, want: 204})
		c.fails("not_found", exchange{id: id("Delete"), in: in, want: 404})
	}
	c.fails("invalid_input", exchange{id: "getConfiguration", in: map[string]string{"adapterId": "erp"},
		header: map[string]string{"X-Channel": ""}, want: 422, lawless: true})
}
