package api_test

import "strings"

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
