package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tidings/tidings/dispatcher"
)

const (
	headerSecret  = "Bearer h3ader-s3cret"
	signingSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
)

// secretive has every kind of secret.
const secretive = `{"id":"n1","url":"https://h.example/p?token=t0ken","scope":{"state":["*"],"cart":true},"adapterId":"erp","reference":"export",
	"headers":{"Authorization":"` + headerSecret + `","X-Api-Key":"h3ader-s3cret-2"},"signing":{"scheme":"standard-webhooks","secret":"` + signingSecret + `"},
	"retry":{"maxAttempts":10,"schedule":["5s","5m"]},"timeout":"20s","expiresAfter":"24h","ordering":"latest","excludeActors":["pim"],"options":{"version":"v1"}}`

// secretFree sees that none of secretive's write-only values is in an answer. (The URL is read back to those who may read
// notifications, its query included.)
func secretFree(t *testing.T, what string, a reply) {
	t.Helper()
	all := a.body + fmt.Sprint(a.header)
	for _, secret := range []string{"h3ader", "MDEyMzQ1", signingSecret} {
		if strings.Contains(all, secret) {
			t.Errorf("%s tells a secret: %s", what, all)
		}
	}
}

func TestRegister(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		const list = orders + "1/notifications"
		first := d.must(t, 201, http.MethodPost, list, secretive, "X-Channel: web")
		if first.header.Get("Location") != list+"/n1" {
			t.Errorf("Location %s", first.header.Get("Location"))
		}
		for _, what := range []struct {
			status             int
			method, path, body string
		}{
			{200, http.MethodPost, list, secretive}, // the same again
			{200, http.MethodGet, list, ""}, {200, http.MethodGet, list + "/n1", ""},
			{409, http.MethodPost, list, strings.Replace(secretive, "20s", "21s", 1)}, // another one with the id
			{200, http.MethodPut, list + "/n1", secretive},
			{422, http.MethodPut, list + "/n1", strings.Replace(secretive, `"n1"`, `"n2"`, 1)},
			{404, http.MethodPut, list + "/n2", strings.Replace(secretive, `"n1"`, `"n2"`, 1)},
			{422, http.MethodPost, list, strings.Replace(secretive, `"20s"`, `"20h"`, 1)}, // a refusal must not quote
			{422, http.MethodPost, list, strings.Replace(secretive, "h3ader-s3cret-2", `h3ader\n`, 1)},
			{422, http.MethodPost, list, strings.Replace(secretive, signingSecret, "MDEyMzQ1", 1)},
		} {
			secretFree(t, what.method+" "+what.path, d.must(t, what.status, what.method, what.path, what.body))
		}
		got := d.registered(t, "1")
		if len(got) != 1 {
			t.Fatalf("registered %v", got)
		}
		delete(got[0], "created")
		text, err := json.Marshal(got[0])
		if err != nil {
			t.Fatal(err)
		}
		want := `{"adapterId":"erp","excludeActors":["pim"],"expiresAfter":"24h","format":"norce",` +
			`"headers":{"Authorization":"******","X-Api-Key":"******"},"id":"n1","method":"POST","options":{"version":"v1"},"ordering":"latest",` +
			`"reference":"export","retry":{"maxAttempts":10,"schedule":["5s","5m"]},"scope":{"cart":true,"state":["*"]},` +
			`"signing":{"scheme":"standard-webhooks","secret":"******"},"timeout":"20s","url":"https://h.example/p?token=t0ken"}`
		if string(text) != want {
			t.Errorf("read back\n%s, want\n%s", text, want)
		}
		d.must(t, 204, http.MethodDelete, list+"/n1", "")
		d.must(t, 404, http.MethodDelete, list+"/n1", "")
		if got := d.registered(t, "1"); len(got) != 0 {
			t.Errorf("registered after its removal: %v", got)
		}
	})
}

// Norce's OpenAPI form is read back as it was given, and a URL and a scope are enough.
func TestRegisterBothForms(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		var got map[string]any
		d.must(t, 201, http.MethodPost, orders+"1/notifications", `{"adapterId":"jetshop_adapter","reference":"r","description":"d","scope":"/state/currentStatus",
			"schema":{"const":"completed"},"invoke":"{configuration.adapter.internalUrl}/cb/{order.id}","version":"v0"}`, "X-Channel: web").into(t, &got)
		if got["invoke"] != "{configuration.adapter.internalUrl}/cb/{order.id}" || got["url"] != nil || got["version"] != "v0" ||
			fmt.Sprint(got["schema"]) != "map[const:completed]" || len(got["id"].(string)) != 32 {
			t.Errorf("%v", got)
		}
		clear(got)
		d.must(t, 201, http.MethodPost, orders+"1/notifications", `{"url":"https://h.example/","scope":{"payment":true},"headers":null,"schema":null}`).into(t, &got)
		if got["method"] != "POST" || got["format"] != "norce" || got["ordering"] != "strict" || got["timeout"] != "10s" || got["invoke"] != nil || got["retry"] != nil {
			t.Errorf("defaults: %v", got)
		}
	})
}

// Who reads a notification, changes a little and writes it back must not lose the secrets that were not shown.
func TestWriteBackKeepsSecrets(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		kept := func(step string, timeout string) {
			t.Helper()
			n, ok := d.load(t, "1").Notification("n1")
			if !ok || len(d.load(t, "1").Notifications) != 1 {
				t.Fatalf("%s: %d notifications", step, len(d.load(t, "1").Notifications))
			}
			var values []string
			for _, h := range n.Headers {
				values = append(values, h.Name+"="+h.Value.Reveal())
			}
			if !slices.Equal(values, []string{"Authorization=" + headerSecret, "X-Api-Key=h3ader-s3cret-2"}) || n.CurrentSecret().Reveal() != signingSecret {
				t.Errorf("%s: headers %v, secret %s", step, values, n.CurrentSecret().Reveal())
			}
			if n.Timeout.String() != timeout {
				t.Errorf("%s: timeout %s, want %s", step, n.Timeout, timeout)
			}
		}
		d.must(t, 201, http.MethodPost, orders+"1/notifications", secretive, "X-Channel: web")
		kept("registered", "20s")
		const one = orders + "1/notifications/n1"
		read := d.must(t, 200, http.MethodGet, one, "").body
		d.must(t, 200, http.MethodPut, one, read)
		kept("written back as read", "20s")
		d.must(t, 200, http.MethodPut, one, strings.Replace(strings.Replace(read, "20s", "21s", 1), "X-Api-Key", "x-api-KEY", 1)) // names of headers do not differ by case
		n, _ := d.load(t, "1").Notification("n1")
		if len(n.Headers) != 2 || n.Headers[1].Name != "x-api-KEY" || n.Headers[1].Value != "h3ader-s3cret-2" || n.Timeout.String() != "21s" {
			t.Errorf("with another spelling: %d headers, %s", len(n.Headers), n.Timeout)
		}
		d.must(t, 200, http.MethodPut, one, strings.Replace(read, "20s", "22s", 1))
		d.put(t, 201, "1", `{"a":1,"notifications":[`+strings.Replace(read, "20s", "23s", 1)+`]}`)
		kept("written back with the order", "23s")
		// A value that was never registered cannot be stood for.
		a := d.must(t, 422, http.MethodPut, one, strings.Replace(read, "X-Api-Key", "X-Other", 1))
		if got := a.pointers(t); !slices.Equal(got, []string{"/headers/X-Other"}) {
			t.Errorf("faults at %v", got)
		}
		kept("after a refusal", "23s")
		// New values take the place of the old, and what is left out is gone.
		d.must(t, 200, http.MethodPut, one, `{"url":"https://h.example/","scope":"","headers":{"Authorization":"new"}}`)
		if n, _ := d.load(t, "1").Notification("n1"); len(n.Headers) != 1 || n.Headers[0].Value.Reveal() != "new" || len(n.Secrets) != 0 {
			t.Errorf("replaced: %d headers", len(n.Headers))
		}
		d.must(t, 422, http.MethodPut, one, `{"url":"https://h.example/","scope":"","signing":{"scheme":"standard-webhooks","secret":"******"}}`)
	})
}

// design.md §3: sent again they register nothing twice, left out they remove nothing.
func TestRegistrationsInAnOrder(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		const (
			byID      = `{"id":"n1","url":"https://h.example/1","scope":"/a"}`
			byRef     = `{"adapterId":"erp","reference":"export","url":"https://h.example/2","scope":"/a"}`
			byContent = `{"url":"https://h.example/3","scope":"/a","headers":{"X-Key":"k"}}`
			document  = `{"a":1}`
		)
		body := func(a int, rest string) string { return fmt.Sprintf(`{"a":%d%s}`, a, rest) }
		all := `,"notifications":[` + byID + `,` + byRef + `,` + byContent + `],"callback_urls":["https://h.example/4","https://h.example/5"]`
		first := d.put(t, 201, "1", body(1, all))
		if len(first.Deliveries) != 3 || d.must(t, 200, http.MethodGet, orders+"1", "").body != document {
			t.Errorf("%+v", first) // callbacks fire for states only
		}
		before := d.load(t, "1").Notifications
		ids := func() (ids []string) {
			for _, n := range d.load(t, "1").Notifications {
				ids = append(ids, n.ID+" "+n.URL)
			}
			return ids
		}
		want := ids()
		if len(want) != 5 {
			t.Fatalf("registered %v", want)
		}
		for i, rest := range []string{all, "", `,"notifications":[]`, `,"notifications":null,"callback_urls":null`,
			`,"notifications":[` + byContent + `,` + byContent + `,` + byID + `],"callback_urls":["https://h.example/5","https://h.example/5"]`} {
			// Without a change of the document nothing is owed; with one, each gets one.
			if a := d.put(t, 200, "1", body(1+i, rest)); len(a.Deliveries) != 0 || int(a.Version) != 1+i {
				t.Errorf("%s, the document as it was: %+v", rest, a)
			}
			if a := d.put(t, 200, "1", body(2+i, rest)); len(a.Deliveries) != 3 {
				t.Errorf("%s: %+v", rest, a)
			}
			if got := ids(); !slices.Equal(got, want) {
				t.Fatalf("after %s registered\n%v, want\n%v", rest, got, want)
			}
		}
		// Another content under the same name replaces, and keeps its id and its place.
		d.put(t, 200, "1", `{"a":6,"notifications":[`+strings.Replace(byRef, "/2", "/22", 1)+`,`+strings.Replace(byID, "/1", "/11", 1)+`]}`)
		after := d.load(t, "1").Notifications
		for i, n := range after {
			if n.ID != before[i].ID || !n.Created.Equal(before[i].Created) {
				t.Errorf("%d: %s of %v, want %s of %v", i, n.ID, n.Created, before[i].ID, before[i].Created)
			}
		}
		if len(after) != 5 || after[0].URL != "https://h.example/11" || after[1].URL != "https://h.example/22" {
			t.Errorf("registered %v", ids())
		}
		// The same content by POST is the same, too.
		d.must(t, 200, http.MethodPost, orders+"1/notifications", byContent)
		d.must(t, 201, http.MethodPost, orders+"1/notifications", strings.Replace(byContent, `"k"`, `"other"`, 1))
		if len(ids()) != 6 {
			t.Errorf("registered %v", ids())
		}
	})
}

// The answer names what a registration of the same request owes.
func TestANewRegistrationFiresAtOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		a := d.put(t, 201, "1", `{"state":{"currentStatus":"checkout"},"notifications":[{"id":"n1","url":"https://h.example/","scope":{"state":["checkout"],"cart":true}}],
			"callback_urls":["https://h.example/cb"]}`, "X-AdapterId: pim")
		if len(a.Deliveries) != 2 || a.Deliveries[0].NotificationID != "n1" || !slices.Equal(a.Deliveries[0].Scope, []string{"state.checkout"}) {
			t.Fatalf("%+v", a)
		}
		var view struct {
			ID, Status, OrderID, Channel, NotificationID string
			OrderVersion                                 int
			Matched                                      []dispatcher.Evidence
		}
		d.must(t, 200, http.MethodGet, v0+"/notifications/deliveries/"+a.Deliveries[0].ID, "").into(t, &view)
		if view.ID != a.Deliveries[0].ID || view.Status != "pending" || view.OrderID != "1" || view.Channel != "web" || view.OrderVersion != 1 ||
			len(view.Matched) != 1 || view.Matched[0].Pointer != "/state/currentStatus" || string(view.Matched[0].After.JSON()) != `"checkout"` {
			t.Errorf("%+v", view)
		}
		// Its own adapter's changes do not fire it.
		d.put(t, 200, "1", `{"state":{"currentStatus":"checkout"},"notifications":[{"id":"n2","url":"https://h.example/","scope":"/x","excludeActors":["pim"]}]}`)
		if a := d.put(t, 200, "1", `{"state":{"currentStatus":"checkout"},"x":1}`, "X-AdapterId: pim"); len(a.Deliveries) != 0 {
			t.Errorf("an echo: %+v", a)
		}
		if a := d.put(t, 200, "1", `{"state":{"currentStatus":"checkout"},"x":2}`, "X-AdapterId: erp"); len(a.Deliveries) != 1 {
			t.Errorf("another's change: %+v", a)
		}
		// The second of a strict lane waits; removing the notification cancels what waits, and says so.
		a = d.put(t, 200, "1", `{"state":{"currentStatus":"checkout"},"x":3}`)
		d.must(t, 200, http.MethodGet, v0+"/notifications/deliveries/"+a.Deliveries[0].ID, "").into(t, &view)
		if view.Status != "waiting" {
			t.Errorf("behind another of its lane it is %s", view.Status)
		}
		d.must(t, 204, http.MethodDelete, orders+"1/notifications/n2", "")
		d.must(t, 200, http.MethodGet, v0+"/notifications/deliveries/"+a.Deliveries[0].ID, "").into(t, &view)
		if got := d.events(t, "notificationId=n2&reason=cancelled"); view.Status != "cancelled" || len(got.Data) != 2 {
			t.Errorf("after the removal it is %s, with %d Events", view.Status, len(got.Data))
		}
	})
}

// Each format has options of its own, and a policy where its receivers expect one.
func TestFormatsAreRegisteredWithTheirOptions(t *testing.T) {
	each(t, func(t *testing.T, d door) {
		for i, row := range []struct {
			members  string
			status   int
			pointers string
		}{
			{`"format":"fbpi","options":{"eventType":"FBPI::ORDER_SYNC"}`, 201, ""},
			{`"format":"fbpi","options":{"eventType":"order"}`, 422, "/options/eventType"},
			{`"format":"probo"`, 201, ""},
			{`"format":"probo","options":{"colour":1}`, 422, "/options/colour"},
			{`"format":"fatpay","options":{"partnerId":"p1","wrap":false}`, 201, ""},
			{`"format":"fatpay"`, 422, "/options/partnerId"}, // it stands in the signature
			{`"format":"cloudevents","options":{"mode":"binary"}`, 201, ""},
			{`"format":"cloudevents","headers":{"ce-id":"x","Content-Type":"text/plain"}`, 422, "/headers/Content-Type /headers/ce-id"},
			{`"format":"thin"`, 201, ""},
			{`"format":"fatpay","options":{"partnerId":"p1"},"headers":{"x-fp-extra":"1","X-FP-Nonce":"2"}`, 422, "/headers/X-FP-Nonce /headers/x-fp-extra"}, // receivers would sign them, too
			{`"format":"fbpi","headers":{"x-fp-extra":"1"}`, 201, ""}, // means nothing there
		} {
			a := d.must(t, row.status, http.MethodPost, orders+strconv.Itoa(i)+"/notifications",
				`{"url":"https://h.example/","scope":{"state":["*"]},`+row.members+`}`, "X-Channel: web")
			if got := strings.Join(slices.Sorted(slices.Values(a.pointers(t))), " "); got != row.pointers {
				t.Errorf("%s: faults at %s, want %s", row.members, got, row.pointers)
			}
		}
		once, _ := d.load(t, "4").Notification(d.load(t, "4").Notifications[0].ID)
		if once.Retry.MaxAttempts != 1 {
			t.Errorf("fatpay is sent %d times", once.Retry.Attempts())
		}
		d.must(t, 201, http.MethodPut, orders+"cb", `{"state":{"currentStatus":"queued"},"callback_urls":["https://h.example/cb"]}`, "X-Channel: web")
		if n := d.load(t, "cb").Notifications[0]; n.Format != dispatcher.FormatProbo {
			t.Errorf("callback_urls are told in %s", n.Format)
		}
	})
}
