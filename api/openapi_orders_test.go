package api_test

import (
	"strings"

	"github.com/tidings/tidings/api"
)

func (c *contract) orders() map[string]string {
	order := map[string]string{"orderId": "1001"}
	first := `{"state":{"currentStatus":"accepted"},"total":1.0}`
	c.fails("not_found", exchange{id: "getOrder", in: order, want: 404})
	c.fails("not_found", exchange{id: "patchOrder", in: order, body: `{}`, want: 404})
	c.fails("not_found", exchange{id: "deleteOrder", in: order, want: 404})
	seen2 := map[string]string{"If-Match": `"2"`}
	nowhere, elsewhere := map[string]string{"X-Channel": ""}, map[string]string{"X-Channel": "pos"}
	c.fails("channel_missing", exchange{id: "putOrder", in: order, body: first, header: nowhere, want: 400})
	c.fails("invalid_json", exchange{id: "putOrder", in: order, body: `{"a":1,"a":2,`, want: 400, lawless: true})
	c.fails("invalid_input", exchange{id: "putOrder", in: order, body: `[]`, want: 422, lawless: true})
	c.fails("invalid_input", exchange{id: "putOrder", in: map[string]string{"orderId": "a b"}, body: `{}`, want: 422, lawless: true})
	large := `{"x":"` + strings.Repeat("x", api.MaxBodyBytes-10) + `"}`
	c.fails("body_too_large", exchange{id: "putOrder", in: order, body: large + "   ", want: 413})

	c.do(exchange{id: "putOrder", in: order, body: first, want: 201})
	again := `{"total":1,"state":{"currentStatus":"accepted"}}`
	if a := c.do(exchange{id: "putOrder", in: order, body: again, want: 200}); a.at(c.t, "version") != "1" {
		c.t.Errorf("no change by meaning: %s", a.body)
	}
	if a := c.do(exchange{id: "patchOrder", in: order, body: `{"total":2}`, want: 200}); a.at(c.t, "changed") != "[/total]" {
		c.t.Errorf("changed: %s", a.body)
	}
	c.do(exchange{id: "putOrder", in: order, body: `{"total":3}`, header: seen2, want: 200})
	c.fails("version_differs", exchange{id: "putOrder", in: order, body: first, header: seen2, want: 412})
	c.fails("version_differs", exchange{id: "patchOrder", in: order, body: first, header: seen2, want: 412})
	c.fails("version_differs", exchange{id: "deleteOrder", in: order, header: seen2, want: 412})
	onlyNew, notThis := map[string]string{"If-None-Match": "*"}, map[string]string{"If-None-Match": `"2"`}
	for _, id := range []string{"putOrder", "patchOrder", "deleteOrder"} {
		body := first
		if id == "deleteOrder" {
			body = ""
		}
		c.fails("order_exists", exchange{id: id, in: order, body: body, header: onlyNew, want: 412})
		c.fails("if_none_match_invalid", exchange{id: id, in: order, body: body, header: notThis, want: 400, lawless: true})
	}
	c.fails("channel_differs", exchange{id: "putOrder", in: order, body: first, header: elsewhere, want: 409})
	c.fails("order_too_large", exchange{id: "patchOrder", in: order, body: large, want: 413}) // what is there comes on top
	if a := c.do(exchange{id: "getOrder", in: order, want: 200}); string(a.body) != `{"total":3}` {
		c.t.Errorf("order = %s", a.body)
	}
	for _, seen := range []string{`"3"`, `"2", W/"3"`, "*"} {
		c.do(exchange{id: "getOrder", in: order, header: map[string]string{"If-None-Match": seen}, want: 304})
	}
	c.fails("invalid_input", exchange{id: "getOrder", in: map[string]string{"orderId": "a b"}, want: 422, lawless: true})

	gone := map[string]string{"orderId": "gone"}
	c.do(exchange{id: "putOrder", in: gone, body: first, header: onlyNew, want: 201})
	c.do(exchange{id: "deleteOrder", in: gone, want: 204})
	return order
}
