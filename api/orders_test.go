package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func TestPutAndGetAnOrder(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		const text = `{"state":{"currentStatus":"checkout"},"total":93.09000000,"url":"https://h/?a=1&b=<2>","x":{"y":null}}`
		first := d.must(t, 201, http.MethodPut, orders+"1001", text, "X-Channel: web")
		if got := first.body; got != `{"orderId":"1001","version":1,"changed":["/state/currentStatus","/total","/url"],"deliveries":[]}`+"\n" {
			t.Errorf("reply %s", got)
		}
		if first.header.Get("ETag") != `"1"` || first.header.Get("Location") != orders+"1001" {
			t.Errorf("headers %v", first.header)
		}
		got := d.must(t, 200, http.MethodGet, orders+"1001", "")
		if got.body != text || got.header.Get("ETag") != `"1"` || got.header.Get("Content-Type") != "application/json" ||
			got.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("read back %s with %v", got.body, got.header)
		}
	})
}

// No change by meaning is no version, though it is spelled anew.
func TestNoChange(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		d.put(t, 201, "1", `{"a":10,"b":{"c":[]},"notifications":[{"url":"https://h.example/","scope":""}]}`)
		for _, row := range []struct{ method, body string }{
			{http.MethodPut, `{"a":10,"b":{"c":[]}}`},
			{http.MethodPut, `{"b":null,"a":1.0e1}`},
			{http.MethodPatch, `{"a":10.0}`},
			{http.MethodPatch, `{"z":null}`},
			{http.MethodPatch, `{}`},
		} {
			a := d.must(t, 200, row.method, orders+"1", row.body)
			if a.body != `{"orderId":"1","version":1,"changed":[],"deliveries":[]}`+"\n" || a.header.Get("ETag") != `"1"` {
				t.Errorf("%s %s: %s", row.method, row.body, a.body)
			}
		}
		if got := d.must(t, 200, http.MethodGet, orders+"1", "").body; got != `{"a":10,"b":{"c":[]}}` {
			t.Errorf("the order is %s, want it as first written", got)
		}
		a := d.put(t, 200, "1", `{"a":11}`)
		if a.Version != 2 || !slices.Equal(a.Changed, []string{"/a"}) || len(a.Deliveries) != 1 || !slices.Equal(a.Deliveries[0].Scope, []string{"/"}) {
			t.Errorf("a real change: %+v", a)
		}
	})
}

func TestPatchMerges(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		d.must(t, 404, http.MethodPatch, orders+"1", `{"a":1}`, "X-Channel: web")
		if d.load(t, "1").Known() {
			t.Error("a PATCH of an unknown order left something")
		}
		d.put(t, 201, "1", `{"a":{"b":1.50,"c":"x","l":[1,2]},"z":true}`)
		for _, row := range []struct{ patch, changed, want string }{
			{`{"a":{"b":null}}`, "/a/b", `{"a":{"c":"x","l":[1,2]},"z":true}`},
			{`{"a":{"l":[3,null]},"n":{"new":null,"m":1}}`, "/a/l /n/m", `{"a":{"c":"x","l":[3,null]},"z":true,"n":{"m":1}}`}, // RFC 7396: arrays are replaced, nulls inside them stay
			{`{"z":null,"a":"flat"}`, "/a /z", `{"a":"flat","n":{"m":1}}`},
			{`{"a":{"deep":{"er":1}}}`, "/a", `{"a":{"deep":{"er":1}},"n":{"m":1}}`},
		} {
			var a accepted
			d.must(t, 200, http.MethodPatch, orders+"1", row.patch).into(t, &a)
			if got := strings.Join(a.Changed, " "); got != row.changed {
				t.Errorf("%s changed %s, want %s", row.patch, got, row.changed)
			}
			if got := d.must(t, 200, http.MethodGet, orders+"1", "").body; got != row.want {
				t.Errorf("%s gives %s, want %s", row.patch, got, row.want)
			}
		}
		// Neither member of ours is a part of the document, in a PATCH either.
		d.must(t, 200, http.MethodPatch, orders+"1", `{"notifications":[{"url":"https://h.example/","scope":""}],"callback_urls":["https://h.example/c"]}`)
		if got := d.must(t, 200, http.MethodGet, orders+"1", "").body; strings.Contains(got, "h.example") || len(d.registered(t, "1")) != 2 {
			t.Errorf("the order is %s, with %d notifications", got, len(d.registered(t, "1")))
		}
	})
}

// A merge must not make an order that a PUT would refuse.
func TestPatchKeepsTheLimits(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		d.put(t, 201, "1", `{"a":"`+strings.Repeat("x", 600_000)+`"}`)
		if a := d.must(t, 413, http.MethodPatch, orders+"1", `{"b":"`+strings.Repeat("x", 600_000)+`"}`); a.problem(t).Code != "order_too_large" {
			t.Errorf("%s", a.body)
		}
		if got := d.load(t, "1").Order.Version; got != 1 {
			t.Errorf("version %d after a refused PATCH", got)
		}
	})
}

func TestPreconditions(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		d.must(t, 412, http.MethodPut, orders+"1", `{"a":0}`, "X-Channel: web", `If-Match: "1"`)
		d.must(t, 412, http.MethodPut, orders+"1", `{"a":0}`, "X-Channel: web", `If-Match: *`) // there is none to match
		d.must(t, 404, http.MethodGet, orders+"1", "")
		d.put(t, 201, "1", `{"a":1}`)
		version := int64(1)
		for _, row := range []struct {
			tag string // %d is the version as it is
			ok  bool
		}{
			{`"%d"`, true}, {`"99", "%d"`, true}, {`*`, true},
			{`"99"`, false}, {`%d`, false}, {`W/"%d"`, false}, // RFC 9110 §13.1.1: a strong comparison, which no weak tag passes
			{`""`, false},
		} {
			for _, method := range []string{http.MethodPut, http.MethodPatch} {
				tag := strings.ReplaceAll(row.tag, "%d", strconv.FormatInt(version, 10))
				want := 412
				if row.ok {
					want, version = 200, version+1
				}
				a := d.call(t, method, orders+"1", fmt.Sprintf(`{"a":"%s %s"}`, method, strings.ReplaceAll(row.tag, `"`, "'")), "If-Match: "+tag)
				if a.status != want {
					t.Errorf("%s with If-Match %s: %d, want %d", method, tag, a.status, want)
				}
				if got := d.load(t, "1").Order.Version; got != version {
					t.Fatalf("version %d after %s with If-Match %s, want %d", got, method, tag, version)
				}
			}
		}
		tag := fmt.Sprintf(`"%d"`, version)
		for _, row := range []struct {
			tag    string
			status int
		}{
			{tag, 304}, {`"0", ` + tag, 304}, {"W/" + tag, 304}, // §13.1.2: a weak comparison: proxies that compress weaken tags
			{"*", 304}, {`"0"`, 200}, {"", 200},
		} {
			a := d.must(t, row.status, http.MethodGet, orders+"1", "", "If-None-Match: "+row.tag)
			if a.header.Get("ETag") != tag || (a.body == "") != (row.status == 304) {
				t.Errorf("If-None-Match %s: %d with ETag %s and %q", row.tag, a.status, a.header.Get("ETag"), a.body)
			}
		}
		d.must(t, 412, http.MethodDelete, orders+"1", "", `If-Match: "99"`)
		d.must(t, 204, http.MethodDelete, orders+"1", "", "If-Match: "+tag)
		d.must(t, 404, http.MethodGet, orders+"1", "")
		d.must(t, 404, http.MethodDelete, orders+"1", "")
	})
}

// Of many that create the same order only one does; whoever comes later is told, and nothing is half done.
func TestCreateOnly(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		const onlyNew = "If-None-Match: *"
		d.must(t, 404, http.MethodPatch, orders+"1", `{"a":0}`, onlyNew)
		d.must(t, 404, http.MethodDelete, orders+"1", "", onlyNew)
		// Known by a registration only, it is not there yet.
		d.must(t, 201, http.MethodPost, orders+"1/notifications", good, "X-Channel: web")
		var created atomic.Int64
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				a := d.call(t, http.MethodPut, orders+"1", fmt.Sprintf(`{"a":%d}`, i), "X-Channel: web", onlyNew)
				switch {
				case a.status == 201:
					created.Add(1)
				case a.status != 412 || a.problem(t).Code != "order_exists":
					t.Errorf("%d %s", a.status, a.body)
				}
			})
		}
		if all.Wait(); created.Load() != 1 || d.load(t, "1").Order.Version != 1 {
			t.Errorf("%d created it, and it is at version %d", created.Load(), d.load(t, "1").Order.Version)
		}
		d.must(t, 412, http.MethodPatch, orders+"1", `{"b":1}`, onlyNew)
		d.must(t, 412, http.MethodDelete, orders+"1", "", onlyNew)
		d.must(t, 412, http.MethodPut, orders+"1", `{"notifications":[{"url":"https://other.example/","scope":""}]}`, onlyNew)
		for _, other := range []string{`"1"`, `W/"9"`, `*, "1"`, `**`, `x`} { // which would be ignored
			for _, method := range []string{http.MethodPut, http.MethodPatch, http.MethodDelete} {
				if a := d.must(t, 400, method, orders+"1", `{}`, "If-None-Match: "+other); a.problem(t).Code != "if_none_match_invalid" {
					t.Errorf("%s: %s", other, a.body)
				}
			}
		}
		if state := d.load(t, "1"); state.Order.Version != 1 || len(state.Notifications) != 1 {
			t.Errorf("version %d with %d notifications", state.Order.Version, len(state.Notifications))
		}
	})
}

func TestChannels(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		if p := d.must(t, 400, http.MethodPut, orders+"1", `{}`).problem(t); p.Code != "channel_missing" {
			t.Errorf("code %s", p.Code)
		}
		if p := d.must(t, 400, http.MethodPost, orders+"1/notifications", `{"url":"https://h.example/","scope":""}`).problem(t); p.Code != "channel_missing" {
			t.Errorf("code %s", p.Code)
		}
		if d.load(t, "1").Known() {
			t.Fatal("something is known of an order without a channel")
		}
		d.must(t, 201, http.MethodPost, orders+"1/notifications", `{"url":"https://h.example/","scope":""}`, "X-Channel: web")
		d.must(t, 404, http.MethodGet, orders+"1", "") // no document yet
		// The channel is known from the registration.
		d.must(t, 409, http.MethodPut, orders+"1", `{"a":1}`, "X-Channel: app")
		var a accepted
		d.must(t, 201, http.MethodPut, orders+"1", `{"a":1}`).into(t, &a)
		if a.Version != 1 || len(a.Deliveries) != 1 {
			t.Errorf("the first PUT after a registration: %+v", a)
		}
		d.must(t, 200, http.MethodPut, orders+"1", `{"a":2}`)
		d.must(t, 200, http.MethodPut, orders+"1", `{"a":3}`, "X-Channel: web")
		if p := d.must(t, 409, http.MethodPatch, orders+"1", `{"a":4}`, "X-Channel: app").problem(t); p.Code != "channel_differs" {
			t.Errorf("code %s", p.Code)
		}
		if o := d.load(t, "1").Order; o.Version != 3 || o.Channel != "web" {
			t.Errorf("version %d in channel %s", o.Version, o.Channel)
		}
	})
}

// Everybody's change lands, and every change is a version.
func TestConcurrentWriters(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		const writers = 20
		d.put(t, 201, "1", `{"start":true,"notifications":[{"url":"https://h.example/","scope":""}]}`)
		var wg sync.WaitGroup
		answers := make([]reply, writers)
		for i := range writers {
			wg.Go(func() { answers[i] = d.call(t, http.MethodPatch, orders+"1", fmt.Sprintf(`{"m%d":%d}`, i, i)) })
		}
		wg.Wait()
		versions, deliveries := map[int64]bool{}, map[string]bool{}
		for i, a := range answers {
			if a.status != 200 {
				t.Fatalf("writer %d: %d %s", i, a.status, a.body)
			}
			var got accepted
			a.into(t, &got)
			if !slices.Equal(got.Changed, []string{fmt.Sprintf("/m%d", i)}) || len(got.Deliveries) != 1 {
				t.Errorf("writer %d: %s", i, a.body)
				continue
			}
			versions[got.Version], deliveries[got.Deliveries[0].ID] = true, true
		}
		o := d.load(t, "1").Order
		if len(versions) != writers || len(deliveries) != writers || o.Version != writers+1 {
			t.Errorf("%d versions, %d deliveries, the last version %d; want %d changes of one order", len(versions), len(deliveries), o.Version, writers)
		}
		for i := range writers {
			if got := string(o.Document.Member(fmt.Sprintf("m%d", i)).JSON()); got != strconv.Itoa(i) {
				t.Errorf("m%d is %q", i, got)
			}
		}
	})
}

// A deleted order is as one that never was, and can come again.
func TestDeleteAnOrder(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		a := d.put(t, 201, "1", `{"a":"private","notifications":[{"url":"https://h.example/","scope":""}]}`)
		d.must(t, 204, http.MethodDelete, orders+"1", "")
		d.must(t, 404, http.MethodGet, orders+"1", "")
		d.must(t, 404, http.MethodGet, orders+"1/notifications", "")
		var delivery struct {
			Status, Reason string
			Matched        []any
			Attempts       []any
		}
		left := d.must(t, 200, http.MethodGet, v0+"/notifications/deliveries/"+a.Deliveries[0].ID, "")
		left.into(t, &delivery)
		if delivery.Status != "cancelled" || delivery.Reason != "cancelled" || len(delivery.Matched) != 0 || len(delivery.Attempts) != 1 ||
			strings.Contains(left.body, "private") {
			t.Errorf("its delivery is left as %s", left.body)
		}
		d.must(t, 412, http.MethodPut, orders+"1", `{"a":2}`, `If-Match: "1"`)
		if again := d.put(t, 201, "1", `{"a":2}`); again.Version != 2 || len(again.Deliveries) != 0 {
			t.Errorf("the same id again: %+v", again)
		}
	})
}
