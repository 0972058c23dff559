package api_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/tidings/tidings/dispatcher"
)

func TestOpenAndOperatorsRoutes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		for _, path := range []string{"/health/live", "/health/ready", "/openapi.yaml"} {
			d.must(t, 200, http.MethodGet, path, "", "Authorization:", "X-Merchant:")
		}
		for _, path := range []string{"/metrics", "/monitoring/x"} {
			for token, want := range map[string]int{"": 401, "wrong": 401, adapterToken: 403, readerToken: 403} {
				if a := d.call(t, http.MethodGet, path, "", "Authorization: Bearer "+token); a.status != want {
					t.Errorf("%s with %q: %d, want %d", path, token, a.status, want)
				}
			}
		}
		d.must(t, 200, http.MethodGet, "/metrics", "", "Authorization: Bearer "+adminToken)
		d.must(t, 404, http.MethodGet, "/api/v0/nothing", "")
		if a := d.must(t, 405, http.MethodPost, orders+"1", ""); !strings.Contains(a.header.Get("Allow"), "PATCH") {
			t.Errorf("405 without the methods that are allowed: %v", a.header)
		}
	})
}

// Whether an id is unknown or another merchant's cannot be told from the answer.
func TestOtherMerchantsIDsAreUnknown(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		a := d.put(t, 201, "1", `{"a":1,"notifications":[{"id":"n1","url":"https://h.example/","scope":""}]}`)
		d.must(t, 201, http.MethodPut, v0+"/configurations/erp", `{}`, "X-Channel: web")
		event := d.attempt(t, a.Deliveries[0].ID, dispatcher.Verdict{Outcome: dispatcher.Failed, Reason: "status_5xx"}, 500)
		delivery := a.Deliveries[0].ID
		swap := strings.NewReplacer("1", "2", "2", "3", "a", "b", "0", "1").Replace // another id of the same shape
		theirs := map[string]string{"merchant": "globex", "channel": "web", "orderId": "1", "id": "n1", "adapterId": "erp",
			"eventId": event, "deliveryId": delivery}
		unknown := map[string]string{"merchant": "globex", "channel": "web", "orderId": "2", "id": "n2", "adapterId": "pim",
			"eventId": swap(event[:14]) + event[14:], "deliveryId": delivery[:2] + swap(delivery[2:])}
		asked := 0
		for route, row := range guarded {
			if row.does == anyone || row.does == operates || row.makes || !strings.Contains(route, ":") {
				continue
			}
			ask := func(in map[string]string) reply {
				method, path := fill(route, in)
				a := d.must(t, 404, method, path, row.body, "X-Channel: web", "Authorization: Bearer "+globexToken, "X-Merchant: globex")
				a.header.Del("Date")
				return a
			}
			if a, b := ask(theirs), ask(unknown); a.body != b.body || !reflect.DeepEqual(a.header, b.header) {
				t.Errorf("%s:\n%s %v\n%s %v", route, a.body, a.header, b.body, b.header)
			}
			asked++
		}
		if asked < 16 {
			t.Errorf("only %d routes take an id", asked)
		}
		for _, query := range []string{"", "?orderId=1", "?deliveryId=" + delivery, "?notificationId=n1"} {
			var page struct{ Data []any }
			d.must(t, 200, "GET", v0+"/notifications/events"+query, "", "Authorization: Bearer "+globexToken, "X-Merchant: globex").into(t, &page)
			if len(page.Data) != 0 {
				t.Errorf("another merchant sees %v", page.Data)
			}
			d.must(t, 200, "GET", v0+"/notifications/events"+query, "").into(t, &page)
			if len(page.Data) != 1 {
				t.Errorf("the merchant itself sees %v", page.Data)
			}
		}
		d.must(t, 200, "GET", orders+"1/notifications/n1", "") // and nothing was touched
		d.must(t, 200, "GET", v0+"/configurations/erp", "", "X-Channel: web")
	})
}
