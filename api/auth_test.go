package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tidings/tidings/dispatcher"
)

// verb is what a route does, as design.md §3 divides it: "adapter writes and reads, merchant reads and retries, admin
// all" (an adapter may retry, too).
type verb string

const (
	reads   verb = "reads"
	writes  verb = "writes"
	retries verb = "retries"
)

// guarded is every route of the API proper. The ids lead nowhere, so that whoever passes is answered wanted.
var guarded = []struct {
	method, path, body string
	does               verb
	wanted             int
}{
	{"PUT", orders + "new", `[]`, writes, 422},
	{"PATCH", orders + "none", `{}`, writes, 404},
	{"GET", orders + "none", "", reads, 404},
	{"DELETE", orders + "none", "", writes, 404},
	{"POST", orders + "none/notifications", `{}`, writes, 422},
	{"GET", orders + "none/notifications", "", reads, 404},
	{"GET", orders + "none/notifications/n", "", reads, 404},
	{"PUT", orders + "none/notifications/n", good, writes, 404},
	{"DELETE", orders + "none/notifications/n", "", writes, 404},
	{"GET", v0 + "/notifications/events", "", reads, 200},
	{"GET", v0 + "/notifications/events/none", "", reads, 404},
	{"POST", v0 + "/notifications/events/none/retry", "", retries, 404},
	{"GET", v0 + "/notifications/deliveries/none", "", reads, 404},
	{"PUT", v0 + "/configurations/none", `[]`, writes, 422},
	{"GET", v0 + "/configurations/none", "", reads, 404},
	{"DELETE", v0 + "/configurations/none", "", writes, 404},
	{"PUT", norcePath("acme", "web", "none"), `[]`, writes, 422},
	{"GET", norcePath("acme", "web", "none"), "", reads, 404},
	{"DELETE", norcePath("acme", "web", "none"), "", writes, 404},
	{"GET", "/api/v1/events", "", reads, 200},
	{"GET", "/api/v1/events/none", "", reads, 404},
	{"POST", "/api/v1/events/none/retry", "", retries, 404},
}

func norcePath(merchant, channel, name string) string {
	return "/api/v1/configuration/merchants/" + merchant + "/channels/" + channel + "/configurations/" + name
}

func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		for _, route := range guarded {
			norce := strings.HasPrefix(route.path, "/api/v1/configuration/")
			merchantMissing, merchantBad := 400, 400
			if norce { // the merchant stands in the path; the header is not looked at
				merchantMissing, merchantBad = route.wanted, route.wanted
			}
			reader := route.wanted
			if route.does == writes {
				reader = 403
			}
			for _, row := range []struct {
				who, authorization, merchant string
				want                         int
			}{
				{"nobody", "", "acme", 401},
				{"a wrong token", "Bearer wrong", "acme", 401},
				{"a token without its scheme", adapterToken, "acme", 401},
				{"a token under another scheme", "Basic " + adapterToken, "acme", 401},
				{"an empty token", "Bearer", "acme", 401},
				{"half a token", "Bearer " + adapterToken[:7], "acme", 401},
				{"adapter", "Bearer " + adapterToken, "acme", route.wanted},
				{"adapter, scheme in small letters", "bearer " + adapterToken, "acme", route.wanted},
				{"merchant", "Bearer " + readerToken, "acme", reader},
				{"admin", "Bearer " + adminToken, "acme", route.wanted},
				{"another merchant's adapter", "Bearer " + globexToken, "acme", 403},
				{"adapter without a merchant", "Bearer " + adapterToken, "", merchantMissing},
				{"adapter with a merchant that cannot be", "Bearer " + adapterToken, "ac me", merchantBad},
			} {
				a := d.call(t, route.method, route.path, route.body, "X-Channel: web", "Authorization: "+row.authorization, "X-Merchant: "+row.merchant)
				if a.status != row.want {
					t.Errorf("%s %s by %s: %d %s, want %d", route.method, route.path, row.who, a.status, a.body, row.want)
				}
				if challenged := a.header.Get("WWW-Authenticate") != ""; challenged != (a.status == 401) {
					t.Errorf("%s %s by %s: %d with WWW-Authenticate %q", route.method, route.path, row.who, a.status, a.header.Get("WWW-Authenticate"))
				}
			}
		}
		// Norce's path names the merchant; the header of another does not open it.
		d.must(t, 403, http.MethodGet, norcePath("globex", "web", "x"), "", "X-Merchant: acme")
		if d.load(t, "none").Known() || d.load(t, "new").Known() {
			t.Error("somebody wrote something")
		}
	})
}

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
		for _, row := range []struct{ method, path, id, other, body string }{
			{"GET", orders + "%", "1", "2", ""}, {"PATCH", orders + "%", "1", "2", `{}`}, {"DELETE", orders + "%", "1", "2", ""},
			{"GET", orders + "%/notifications", "1", "2", ""}, {"GET", orders + "%/notifications/n1", "1", "2", ""},
			{"PUT", orders + "%/notifications/n1", "1", "2", good}, {"DELETE", orders + "%/notifications/n1", "1", "2", ""},
			{"GET", v0 + "/configurations/%", "erp", "pim", ""}, {"DELETE", v0 + "/configurations/%", "erp", "pim", ""},
			{"GET", v0 + "/notifications/deliveries/%", delivery, delivery[:2] + swap(delivery[2:]), ""},
			{"GET", v0 + "/notifications/events/%", event, swap(event[:14]) + event[14:], ""},
			{"POST", v0 + "/notifications/events/%/retry", event, swap(event[:14]) + event[14:], ""},
			{"GET", "/api/v1/events/%", event, swap(event[:14]) + event[14:], ""},
			{"POST", "/api/v1/events/%/retry", event, "not-an-id", ""},
		} {
			ask := func(id string) reply {
				return d.must(t, 404, row.method, strings.ReplaceAll(row.path, "%", id), row.body, "X-Channel: web",
					"Authorization: Bearer "+globexToken, "X-Merchant: globex")
			}
			if theirs, unknown := ask(row.id), ask(row.other); theirs.body != unknown.body {
				t.Errorf("%s %s:\n%s\n%s", row.method, row.path, theirs.body, unknown.body)
			}
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
