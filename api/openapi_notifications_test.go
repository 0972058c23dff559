package api_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/tidings/tidings/dispatcher"
)

// Document and server draw the same line: what one refuses, the other does.
func TestNotificationsAreRefusedAsDocumented(t *testing.T) {
	t.Parallel()
	c := newContract(t, false)
	long := func(n int) string { return strings.Repeat("x", n) }
	const ok = `"url":"https://erp.example.com/","scope":{"cart":true}`
	refused := []string{
		`{}`, `[]`, `"x"`,
		`{"url":"https://erp.example.com/"}`,
		`{"scope":{"cart":true}}`,
		`{"url":"https://erp.example.com/","invoke":"https://erp.example.com/","scope":{"cart":true}}`,
		`{` + ok + `,"unknown":1}`,
		`{` + ok + `,"id":"a b"}`, `{` + ok + `,"id":"` + long(129) + `"}`,
		`{` + ok + `,"method":"GET"}`,
		`{` + ok + `,"headers":{"a b":"1"}}`, `{` + ok + `,"headers":{"X-A":1}}`, `{` + ok + `,"headers":{"X-A":"` + long(4097) + `"}}`,
		`{` + ok + `,"schema":true}`, // only beside a pointer
		`{` + ok + `,"adapterId":"ä"}`,
		`{` + ok + `,"reference":"` + long(257) + `"}`, `{` + ok + `,"reference":"a\nb"}`,
		`{` + ok + `,"description":"` + long(1025) + `"}`,
		`{` + ok + `,"excludeActors":["a","a"]}`, `{` + ok + `,"excludeActors":"a"}`,
		`{` + ok + `,"format":"xml"}`, `{` + ok + `,"options":[]}`,
		`{` + ok + `,"signing":{}}`,
		`{` + ok + `,"signing":{"scheme":"none","secret":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}`,
		`{` + ok + `,"signing":{"scheme":"standard-webhooks","secret":"whsec_short"}}`,
		`{` + ok + `,"signing":{"scheme":"none","key":"x"}}`,
		`{` + ok + `,"signing":{"scheme":"http-message-signatures","secret":"whpk_x"}}`,
		`{` + ok + `,"ordering":"fifo"}`, `{` + ok + `,"version":"v2"}`,
		`{` + ok + `,"retry":{"maxAttempts":51}}`, `{` + ok + `,"retry":{"maxAttempts":1.5}}`, `{` + ok + `,"retry":{"schedule":[5]}}`,
		`{` + ok + `,"retry":{"delays":["5s"]}}`,
		`{` + ok + `,"timeout":"soon"}`, `{` + ok + `,"timeout":10}`, `{` + ok + `,"timeout":"-5s"}`,
		`{"url":"https://erp.example.com/` + long(2048) + `","scope":"/cart"}`,
		`{"url":"https://erp.example.com/","scope":{}}`, `{"url":"https://erp.example.com/","scope":7}`,
		`{"url":"https://erp.example.com/","scope":{"payments":true}}`, `{"url":"https://erp.example.com/","scope":{"payment":false}}`,
		`{"url":"https://erp.example.com/","scope":{"state":[]}}`, `{"url":"https://erp.example.com/","scope":{"state":["a","a"]}}`,
		`{"url":"https://erp.example.com/","scope":{"state":["*","a"]}}`, `{"url":"https://erp.example.com/","scope":{"state":[""]}}`,
		`{"url":"https://erp.example.com/","scope":"cart"}`, `{"url":"https://erp.example.com/","scope":"/a~2"}`,
		`{"url":"https://erp.example.com/","scope":"/cart","schema":"completed"}`,
	}
	for i, body := range refused {
		in := map[string]string{"orderId": "refused-" + strconv.Itoa(i)}
		c.fails("invalid_input", exchange{id: "postNotification", in: in, body: body, want: 422, lawless: true})
	}
	accepted := []string{
		`{` + ok + `,"id":"a.b_c:d-1","created":"2026-01-01T00:00:00Z","stopped":1}`,
		`{` + ok + `,"signing":{"scheme":"http-message-signatures","secret":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}`,
		`{` + ok + `,"signing":{"scheme":"http-message-signatures"}}`,
		`{` + ok + `,"signing":{"scheme":"none"}}`, `{` + ok + `,"signing":{"scheme":"standard-webhooks"}}`,
		`{` + ok + `,"signing":{"scheme":"standard-webhooks-v1a","publicKey":"whpk_x"}}`, `{` + ok + `,"timeout":"1.5s","expiresAfter":"720h"}`,
		`{` + ok + `,"retry":{"schedule":["1s","1h30m","72h"]}}`,
		`{"url":"https://erp.example.com/","scope":"","schema":true}`, `{"url":"https://erp.example.com/","scope":"/a~1b/~0"}`,
		`{"url":"https://erp.example.com/","scope":{"state":["*"],"cart":true,"customer":true}}`,
	}
	for i, body := range accepted {
		in := map[string]string{"orderId": "accepted-" + strconv.Itoa(i)}
		c.do(exchange{id: "postNotification", in: in, body: body, want: 201})
	}
}

func (c *contract) notifications(order map[string]string) {
	examples := c.operation("postNotification").examples(c.t)
	with := func(id string) map[string]string { return map[string]string{"orderId": order["orderId"], "id": id} }
	key := map[string]string{"Idempotency-Key": "k-1"}
	var id string
	for _, form := range []string{"guide", "pointer"} {
		a := c.do(exchange{id: "postNotification", in: order, body: examples[form], want: 201})
		if id = a.at(c.t, "id"); !strings.HasSuffix(a.header.Get("Location"), "/notifications/"+id) {
			c.t.Errorf("Location = %s", a.header.Get("Location"))
		}
		c.do(exchange{id: "postNotification", in: order, body: examples[form], want: 200}) // the same is registered once
		c.do(exchange{id: "getNotification", in: with(id), want: 200})
	}
	c.do(exchange{id: "postNotification", in: order, body: examples["least"], header: key, want: 201})
	a := c.do(exchange{id: "postNotification", in: order, body: examples["least"], header: key, want: 201})
	if a.header.Get("Idempotency-Replayed") != "true" {
		c.t.Errorf("not a replay: %v", a.header)
	}
	c.fails("idempotency_key_reused", exchange{id: "postNotification", in: order, body: examples["guide"], header: key, want: 422})
	c.fails("idempotency_key_invalid", exchange{id: "postNotification", in: order, body: examples["least"],
		header: map[string]string{"Idempotency-Key": "a b"}, want: 400, lawless: true})
	other := `{"id":"` + id + `","url":"https://a.example.com/","scope":"/a"}`
	c.fails("id_taken", exchange{id: "postNotification", in: order, body: other, want: 409})
	list := c.do(exchange{id: "listNotifications", in: order, want: 200})
	if list.at(c.t, "data", 0, "signing", "secret") != dispatcher.Redacted {
		c.t.Errorf("secret told: %s", list.body)
	}
	rotate := func(body string) exchange {
		return exchange{id: "rotateSecret", in: with(list.at(c.t, "data", 0, "id")), body: body, want: 200}
	}
	for range dispatcher.MaxSigningSecrets - 1 {
		c.do(rotate(""))
	}
	full := rotate(`{"overlap":"1h"}`)
	full.want = 409
	c.fails("too_many_secrets", full)
	c.fails("not_rotatable", exchange{id: "rotateSecret", in: with(list.at(c.t, "data", 1, "id")), want: 409})
	c.fails("invalid_input", exchange{id: "rotateSecret", in: with(id), body: `{"overlap":"-1s","secret":1}`, want: 422, lawless: true})
	c.fails("not_found", exchange{id: "rotateSecret", in: with("none"), want: 404})
	keyed := c.do(exchange{id: "postNotification", in: order, want: 201,
		body: `{"url":"https://v1a.example.com/","scope":{"cart":true},"signing":{"scheme":"standard-webhooks-v1a"}}`})
	if !strings.HasPrefix(keyed.at(c.t, "signing", "publicKey"), "whpk_") || keyed.at(c.t, "signing", "secret") != "<nil>" {
		c.t.Errorf("sealed with the merchant's key: %s", keyed.body)
	}
	made := c.do(exchange{id: "putOrder", in: map[string]string{"orderId": "secretive"}, want: 201,
		body: `{"notifications":[{"url":"https://s.example.com/","scope":{"cart":true},"signing":{"scheme":"standard-webhooks"}}]}`})
	if !strings.HasPrefix(made.at(c.t, "secrets", 0, "secret"), "whsec_") {
		c.t.Errorf("generated, and not told: %s", made.body)
	}
	c.do(exchange{id: "putNotification", in: with(id), body: examples["least"], want: 200})
	c.fails("not_found", exchange{id: "putNotification", in: with("none"), body: examples["least"], want: 404})
	c.fails("not_found", exchange{id: "getNotification", in: with("none"), want: 404})
	c.fails("not_found", exchange{id: "listNotifications", in: map[string]string{"orderId": "none"}, want: 404})
	c.do(exchange{id: "deleteNotification", in: with(id), want: 204})
	c.fails("not_found", exchange{id: "deleteNotification", in: with(id), want: 404})
}
