package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestConfigurations(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		const here = v0 + "/configurations/erp"
		d.must(t, 404, http.MethodGet, here, "", "X-Channel: web")
		d.must(t, 422, http.MethodGet, here, "") // of which channel?
		first := d.must(t, 201, http.MethodPut, here, `{"adapter":{"internalUrl":"https://erp.example.com/"},"rate":93.09000000,"active":true}`, "X-Channel: web")
		want := `{"adapter":{"internalUrl":"https://erp.example.com/"},"rate":93.09000000,"active":true,"notifications":[]}`
		if first.body != want {
			t.Errorf("answer %s, want %s", first.body, want)
		}
		if got := d.must(t, 200, http.MethodGet, here, "", "X-Channel: web"); got.body != want {
			t.Errorf("read back %s, want %s", got.body, want)
		}
		d.must(t, 404, http.MethodGet, here, "", "X-Channel: app")
		// Norce's spelling is another way to the same, and its path is what counts.
		if got := d.must(t, 200, http.MethodGet, norcePath("acme", "web", "erp"), "", "X-Merchant: globex", "X-Channel: app"); got.body != want {
			t.Errorf("Norce's spelling reads %s", got.body)
		}
		d.must(t, 200, http.MethodPut, norcePath("acme", "web", "erp"), `{"b":2}`, "X-Merchant:")
		d.must(t, 201, http.MethodPut, norcePath("acme", "app", "erp"), `{"b":3}`)
		if got := d.must(t, 200, http.MethodGet, here, "", "X-Channel: web").body; got != `{"b":2,"active":true,"notifications":[]}` {
			t.Errorf("replaced through Norce's spelling: %s", got)
		}
		d.must(t, 204, http.MethodDelete, norcePath("acme", "web", "erp"), "")
		d.must(t, 404, http.MethodGet, here, "", "X-Channel: web")
		d.must(t, 200, http.MethodGet, here, "", "X-Channel: app")
		d.must(t, 404, http.MethodDelete, here, "", "X-Channel: web")
	})
}

func TestConfiguredNotifications(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		configure := func(adapter, channel, active, url string) {
			t.Helper()
			a := d.must(t, 201, http.MethodPut, v0+"/configurations/"+adapter, `{"active":`+active+`,"notifications":[
				{"url":"`+url+`","scope":"/a","headers":{"X-Key":"h3ader"}}]}`, "X-Channel: "+channel)
			secretFree(t, "PUT", a)
			secretFree(t, "GET", d.must(t, 200, http.MethodGet, v0+"/configurations/"+adapter, "", "X-Channel: "+channel))
		}
		d.put(t, 201, "old", `{"a":1}`)
		configure("erp", "web", "true", "https://erp.example.com/{order.id}")
		configure("off", "web", "false", "https://off.example.com/")
		configure("app", "app", "true", "https://app.example.com/")
		adapters := func(id string) (names []string) {
			for _, n := range d.load(t, id).Notifications {
				names = append(names, n.AdapterID)
			}
			return names
		}
		a := d.put(t, 201, "new", `{"a":1,"notifications":[{"url":"https://h.example/","scope":"/a","adapterId":"own"}]}`)
		if got := adapters("new"); !slices.Equal(got, []string{"erp", "own"}) || len(a.Deliveries) != 2 {
			t.Errorf("a new order has %v and owes %d", got, len(a.Deliveries))
		}
		if n := d.load(t, "new").Notifications[0]; n.Headers[0].Value.Reveal() != "h3ader" || n.URL != "https://erp.example.com/{order.id}" {
			t.Errorf("its header and URL are not the configured ones: %s", n.URL)
		}
		d.put(t, 200, "old", `{"a":2}`)
		d.must(t, 200, http.MethodPatch, orders+"old", `{"a":3}`)
		if got := adapters("old"); len(got) != 0 {
			t.Errorf("an order that was there has got %v", got)
		}
		// One known by a registration only is created by its first PUT.
		d.must(t, 201, http.MethodPost, orders+"ahead/notifications", `{"url":"https://h.example/","scope":"/a","adapterId":"own"}`, "X-Channel: web")
		if got := adapters("ahead"); !slices.Equal(got, []string{"own"}) {
			t.Errorf("before its first PUT it has %v", got)
		}
		if a := d.put(t, 201, "ahead", `{"a":1}`); len(a.Deliveries) != 2 {
			t.Errorf("its first PUT owes %d", len(a.Deliveries))
		}
		d.must(t, 201, http.MethodPut, orders+"app", `{"a":1}`, "X-Channel: app")
		if got := adapters("app"); !slices.Equal(got, []string{"app"}) {
			t.Errorf("in the channel app it has %v", got)
		}
		// What is removed from an order does not come back, and what is deleted is given to no new one.
		d.must(t, 204, http.MethodDelete, orders+"new/notifications/"+d.load(t, "new").Notifications[0].ID, "")
		d.put(t, 200, "new", `{"a":2}`)
		if got := adapters("new"); !slices.Equal(got, []string{"own"}) {
			t.Errorf("after the removal it has %v", got)
		}
		d.must(t, 204, http.MethodDelete, v0+"/configurations/erp", "", "X-Channel: web")
		d.put(t, 201, "later", `{"a":1}`)
		if got := adapters("later"); len(got) != 0 {
			t.Errorf("after the configuration's end a new order has %v", got)
		}
	})
}

// Pointers lead into the request, whatever a configuration adds before it.
func TestFaultsBesideConfiguredNotifications(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		d.must(t, 201, http.MethodPut, v0+"/configurations/erp", `{"notifications":[{"url":"https://erp.example.com/","scope":"/a"}]}`, "X-Channel: web")
		a := d.must(t, 422, http.MethodPut, orders+"1", `{"notifications":[{"url":"https://h.example/","scope":"/a","headers":{"X":"******"}}]}`, "X-Channel: web")
		if got := a.pointers(t); !slices.Equal(got, []string{"/notifications/0/headers/X"}) {
			t.Errorf("faults at %v", got)
		}
		if d.load(t, "1").Known() {
			t.Error("half of it was registered")
		}
	})
}

func TestRefusedConfigurations(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		for _, row := range []struct {
			body     string
			status   int
			pointers string
		}{
			{``, 400, ""}, {`{"a":1,"a":2}`, 400, "/a"}, {`[]`, 422, ""}, {`null`, 422, ""},
			{`{"active":"yes","notifications":{"a":1}}`, 422, "/active /notifications"},
			{`{"notifications":[{"url":"https://h.example/"},{"url":"ftp://h.example/","scope":"","headers":{"X":"******"}},7]}`, 422,
				"/notifications/0/scope /notifications/1/headers/X /notifications/1/url /notifications/2"},
		} {
			a := d.must(t, row.status, http.MethodPut, v0+"/configurations/erp", row.body, "X-Channel: web")
			if got := strings.Join(a.pointers(t), " "); got != row.pointers {
				t.Errorf("%s: faults at %s, want %s", row.body, got, row.pointers)
			}
			d.must(t, 404, http.MethodGet, v0+"/configurations/erp", "", "X-Channel: web")
		}
	})
}
