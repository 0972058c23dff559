package api_test

import (
	"net/http"
	"strings"
	"testing"
)

// One document that says two things of one notification is refused; one that says the same twice is not.
func TestOneDocumentSaysOneThingOfANotification(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		const first = `{"id":"n","url":"https://h.example/1","scope":""},{"adapterId":"a","reference":"r","url":"https://h.example/2","scope":""}`
		both := func(more string) string { return `{"a":1,"notifications":[` + first + `,` + more + `]}` }
		a := d.must(t, 422, http.MethodPut, orders+"1", both(`{"id":"n","url":"https://h.example/3","scope":""},{"adapterId":"a","reference":"r","url":"https://h.example/4","scope":""}`), "X-Channel: web")
		if got := strings.Join(a.pointers(t), " "); got != "/notifications/2 /notifications/3" {
			t.Errorf("faults at %s", got)
		}
		d.put(t, 201, "1", both(first))
		// Of what is registered already, too.
		a = d.must(t, 422, http.MethodPut, orders+"1", both(`{"id":"n","url":"https://h.example/3","scope":""}`))
		if got := strings.Join(a.pointers(t), " "); got != "/notifications/2" {
			t.Errorf("faults at %s", got)
		}
	})
}

// Of two merchants that a request names, a proxy may have meant the second.
func TestARequestNamesOneMerchant(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		if p := d.must(t, 400, http.MethodGet, orders+"1", "", "+X-Merchant: other").problem(t); p.Code != "merchant_invalid" {
			t.Errorf("%+v", p)
		}
	})
}
