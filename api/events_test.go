package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
	"github.com/tidings/tidings/store/storetest"
)

// attempt does what a worker does for one attempt of a delivery, the POST aside, and returns the Event's id.
func (d door) attempt(t testing.TB, delivery string, v dispatcher.Verdict, code int) string {
	t.Helper()
	held, err := d.store.Read(t.Context(), delivery)
	if err != nil || len(held) != 1 {
		t.Fatalf("%d deliveries %s, %v", len(held), delivery, err)
	}
	claim, err := d.store.Claim(t.Context(), held[0].Task(), time.Minute)
	if err != nil || claim.State != store.Claimed {
		t.Fatalf("claim of %s: %s, %v", delivery, claim.State, err)
	}
	now := time.Now()
	a := dispatcher.Attempt{
		ID: dispatcher.NewEventID(now, claim.Held.Ref().Shard()), Number: claim.Held.Attempts + 1, Trigger: claim.Held.NextTrigger, At: now,
		Method: claim.Notification.Method, URL: dispatcher.RedactURL(claim.Notification.URL), StatusCode: code, Sent: dispatcher.SentYes,
		Outcome: v.Outcome, Reason: v.Reason,
	}
	for _, h := range claim.Notification.Headers {
		a.HeaderNames = append(a.HeaderNames, h.Name)
	}
	to := dispatcher.Advance(claim.Held.Delivery, claim.Notification.Retry, v, a, now, 0)
	if moved, err := d.store.Record(t.Context(), store.Move{From: claim.Held, To: to, Attempt: &a}); err != nil || moved.Late {
		t.Fatalf("record of %s: late = %v, %v", delivery, moved.Late, err)
	}
	return a.ID.String()
}

type page struct {
	Data       []dispatcher.Event
	Pagination struct {
		Offset, Limit, Size int
		TotalSize           *int64
		Next                string
	}
}

func (p page) ids() (ids []string) {
	for _, e := range p.Data {
		ids = append(ids, e.ID)
	}
	return ids
}

func (d door) events(t testing.TB, query string) (p page) {
	t.Helper()
	d.must(t, 200, http.MethodGet, v0+"/notifications/events?"+query, "").into(t, &p)
	if p.Pagination.Size != len(p.Data) {
		t.Errorf("%s: size %d of %d", query, p.Pagination.Size, len(p.Data))
	}
	return p
}

// fill makes 25 Events over many orders (and so shards): every fifth failed with a 503, every tenth with a 404.
func (d door) fill(t testing.TB) (newestFirst []string) {
	t.Helper()
	for i := range 25 {
		id := strconv.Itoa(i % 20)
		a := d.put(t, map[bool]int{true: 201, false: 200}[i < 20], id, fmt.Sprintf(`{"a":%d,"notifications":[{"id":"n%s","url":"https://h%d.example/?t=s3cret",
			"scope":"/a","ordering":"none","adapterId":"erp","reference":"r%s"}]}`, i, id, i%2, id))
		v, code := dispatcher.Verdict{Outcome: dispatcher.Delivered}, 200
		switch {
		case i%10 == 0:
			v, code = dispatcher.JudgeAnswer(404, nil, time.Now()), 404
		case i%5 == 0:
			v, code = dispatcher.JudgeAnswer(503, nil, time.Now()), 503
		}
		newestFirst = append(newestFirst, d.attempt(t, a.Deliveries[0].ID, v, code))
	}
	slices.Reverse(newestFirst)
	return newestFirst
}

func TestPagesOfEvents(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		all := d.fill(t)
		if got := d.events(t, ""); len(got.Data) != 10 || got.Pagination.Limit != 10 || !slices.Equal(got.ids(), all[:10]) {
			t.Errorf("the first page: %v, want the ten newest %v", got.ids(), all[:10])
		}
		for _, limit := range []int{1, 3, 5, 7, 24, 25, 100} {
			var seen []string
			for cursor, pages := "", 0; ; pages++ {
				got := d.events(t, "limit="+strconv.Itoa(limit)+cursor)
				seen = append(seen, got.ids()...)
				if len(got.Data) == 0 || pages > 30 {
					t.Fatalf("limit %d: page %d has %d Events", limit, pages, len(got.Data))
				}
				if got.Pagination.Next == "" {
					break
				}
				cursor = "&cursor=" + url.QueryEscape(got.Pagination.Next)
			}
			if !slices.Equal(seen, all) {
				t.Errorf("by %d: %d Events, want all %d, newest first, each once", limit, len(seen), len(all))
			}
		}
		for _, offset := range []int{0, 1, 10, 24, 25, 1000} {
			got := d.events(t, "limit=10&offset="+strconv.Itoa(offset))
			want := all[min(offset, 25):min(offset+10, 25)]
			if !slices.Equal(got.ids(), want) || got.Pagination.TotalSize == nil || *got.Pagination.TotalSize != 25 || got.Pagination.Offset != offset {
				t.Errorf("offset %d: %v (%+v), want %v of 25", offset, got.ids(), got.Pagination, want)
			}
		}
	})
}

func TestFiltersOfEvents(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		all := d.fill(t)
		newest := d.events(t, "limit=1").Data[0]
		middle := d.events(t, "limit=1&offset=12").Data[0]
		at := url.QueryEscape(middle.Timestamp.Format("2006-01-02T15:04:05.000Z07:00"))
		for _, row := range []struct {
			query string
			want  int
		}{
			{"orderId=3", 2}, {"orderId=7", 1}, {"orderId=none", 0}, {"scope=/a", 25}, {"scope=/b", 0}, {"notificationId=n4", 2},
			{"deliveryId=" + newest.DeliveryID, 1}, {"deliveryId=none", 0}, {"adapterId=erp", 25}, {"adapterId=pim", 0},
			{"reference=r1", 2}, {"channel=web", 25}, {"channel=app", 0}, {"target=https://h0.example", 13}, {"target=https://h1.example", 12},
			{"target=https://h0.example:443", 13}, {"target=https://H0.Example.%3A443/", 13}, {"target=https://h0.example:8443", 0}, {"target=http://h0.example", 0},
			{"outcome=failed", 5}, {"outcome=delivered", 20}, {"reason=status_5xx", 2}, {"reason=dns", 0},
			{"statusCode=404", 3}, {"statusCode=4xx", 3}, {"statusCode=5xx", 2}, {"statusCode=2xx", 20}, {"statusCode=500", 0},
			{"outcome=failed&statusCode=503&channel=web", 2}, {"orderId=0&outcome=failed", 2},
			{"from=2020-01-01T00:00:00Z", 25}, {"to=2020-01-01T00:00:00Z", 0}, {"from=" + at + "&to=" + at, 0},
		} {
			if got := d.events(t, "limit=100&"+row.query); len(got.Data) != row.want {
				t.Errorf("%s: %d Events, want %d", row.query, len(got.Data), row.want)
			}
			if got := d.events(t, "limit=100&offset=0&"+row.query); *got.Pagination.TotalSize != int64(row.want) {
				t.Errorf("%s: counts %d, want %d", row.query, *got.Pagination.TotalSize, row.want)
			}
		}
		// From and to part the Events in two, without a gap or an overlap.
		if a, b := d.events(t, "limit=100&from="+at), d.events(t, "limit=100&to="+at); len(a.Data)+len(b.Data) != len(all) || len(a.Data) < 13 {
			t.Errorf("%d since and %d before %s, want %d in all", len(a.Data), len(b.Data), at, len(all))
		}
		one := d.must(t, 200, http.MethodGet, v0+"/notifications/events/"+newest.ID, "").body
		if strings.Contains(one, "s3cret") || !strings.Contains(one, "https://h0.example/?t=******") {
			t.Errorf("an Event tells the query: %s", one)
		}
		var theirs struct{ ID, CreatedAt string }
		d.must(t, 200, http.MethodGet, "/api/v1/events/"+newest.ID, "").into(t, &theirs)
		if theirs.ID != newest.ID || len(theirs.CreatedAt) != len("2024-04-26T09:09:14.382889Z") {
			t.Errorf("in Norce's spelling %+v", theirs)
		}
		var norce page
		d.must(t, 200, http.MethodGet, "/api/v1/events?order_id=3&adapter_id=erp&limit=1", "").into(t, &norce)
		if len(norce.Data) != 1 || *norce.Pagination.TotalSize != 2 {
			t.Errorf("Norce's list: %+v", norce.Pagination)
		}
	})
}

func TestRefusedQueries(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		d.fill(t)
		next := d.events(t, "limit=1&outcome=failed").Pagination.Next
		if next == "" || len(d.events(t, "limit=1&outcome=failed&cursor="+next).Data) != 1 {
			t.Fatalf("the cursor %q leads nowhere", next)
		}
		flipped := "A" + next[1:]
		if next[0] == 'A' {
			flipped = "B" + next[1:]
		}
		for _, row := range []struct{ query, pointers string }{
			{"colour=1", "/colour"}, {"order_id=1", "/order_id"}, {"limit=0", "/limit"}, {"limit=101", "/limit"}, {"limit=x", "/limit"}, {"limit=", "/limit"},
			{"offset=-1", "/offset"}, {"offset=10001", "/offset"}, {"offset=1.5", "/offset"}, {"outcome=ok", "/outcome"}, {"outcome=", "/outcome"},
			{"target=h0.example", "/target"}, {"target=ftp://h0.example", "/target"}, {"target=https://h0.example/p", "/target"}, {"target=none", "/target"},
			{"reason=bad", "/reason"}, {"reason=", "/reason"}, {"statusCode=1xx", "/statusCode"}, {"statusCode=6xx", "/statusCode"}, {"statusCode=xx", "/statusCode"},
			{"statusCode=99", "/statusCode"}, {"statusCode=5XX", "/statusCode"}, {"from=yesterday", "/from"}, {"from=2026-01-31", "/from"}, {"to=1", "/to"},
			{"from=2026-01-31T12:00:00+01:00", "/from"}, // the + is a space by now, and the answer says so
			{"orderId=1&orderId=2", "/orderId"}, {"reference=" + strings.Repeat("x", 513), "/reference"},
			{"cursor=x", "/cursor"}, {"cursor=", "/cursor"}, {"outcome=failed&cursor=" + flipped, "/cursor"},
			{"outcome=failed&cursor=" + next[:len(next)-1], "/cursor"}, {"outcome=failed&cursor=" + next + "A", "/cursor"},
			{"outcome=delivered&cursor=" + next, "/cursor"}, {"cursor=" + next, "/cursor"}, // of another query
			{"outcome=failed&offset=1&cursor=" + next, "/offset"},
			{"limit=x&colour=1&from=x&outcome=x", "/colour /from /limit /outcome"}, // every fault at once
			{"orderId=%zz", ""}, {"orderId=1;limit=2", ""}, // what cannot be read is not the same as not given
		} {
			a := d.must(t, 422, http.MethodGet, v0+"/notifications/events?"+row.query, "")
			if got := strings.Join(a.pointers(t), " "); got != row.pointers {
				t.Errorf("%.60s: faults at %q, want %q", row.query, got, row.pointers)
			}
		}
		for query, pointers := range map[string]string{"orderId=1": "/orderId", "limit=0&order_id=1&order_id=2": "/limit /order_id", "cursor=x": "/cursor",
			"adapter_id=" + strings.Repeat("x", 513): "/adapter_id", "order_id=%zz": ""} {
			a := d.must(t, 422, http.MethodGet, "/api/v1/events?"+query, "")
			if got := strings.Join(a.pointers(t), " "); got != pointers {
				t.Errorf("Norce's %.60s: faults at %q, want %q", query, got, pointers)
			}
		}
	})
}

func TestRetryAnEvent(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		refused := dispatcher.Verdict{Outcome: dispatcher.Failed, Reason: "aborted"}
		a := d.put(t, 201, "1", `{"a":1,"notifications":[{"id":"n1","url":"https://h.example/","scope":""}]}`)
		delivery := a.Deliveries[0].ID
		event := d.attempt(t, delivery, refused, 500)
		again := v0 + "/notifications/events/" + event + "/retry"
		for body, status := range map[string]int{`{"force":1}`: 422, `{"forse":true}`: 422, `[]`: 422, `{`: 400} {
			d.must(t, status, http.MethodPost, again, body)
		}
		var got struct {
			DeliveryID string
			Attempt    int
		}
		d.must(t, 202, http.MethodPost, again, "", "Authorization: Bearer "+readerToken).into(t, &got)
		if got.DeliveryID != delivery || got.Attempt != 2 {
			t.Errorf("%+v", got)
		}
		if p := d.must(t, 409, http.MethodPost, again, "").problem(t); p.Code != "not_retryable" { // it is about to be sent
			t.Errorf("code %s", p.Code)
		}
		second := d.attempt(t, delivery, dispatcher.Verdict{Outcome: dispatcher.Delivered}, 200)
		for _, event := range []string{event, second} { // whichever Event of it is named
			if p := d.must(t, 409, http.MethodPost, v0+"/notifications/events/"+event+"/retry", `{"force":false}`).problem(t); p.Code != "already_delivered" {
				t.Errorf("code %s", p.Code)
			}
		}
		d.must(t, 202, http.MethodPost, "/api/v1/events/"+second+"/retry", `{"force":true}`).into(t, &got)
		if got.DeliveryID != delivery || got.Attempt != 3 {
			t.Errorf("%+v", got)
		}
		d.attempt(t, delivery, refused, 500)
		// The attempts of the delivery, oldest first; that the forced one failed takes nothing away.
		var view struct {
			Status   string
			Attempts []struct{ Trigger, Outcome string }
		}
		d.must(t, 200, http.MethodGet, v0+"/notifications/deliveries/"+delivery, "").into(t, &view)
		if view.Status != "delivered" || fmt.Sprint(view.Attempts) != "[{automatic failed} {manual delivered} {manual failed}]" {
			t.Errorf("%+v", view)
		}
		d.must(t, 204, http.MethodDelete, orders+"1/notifications/n1", "")
		if p := d.must(t, 409, http.MethodPost, again, `{"force":true}`).problem(t); p.Code != "not_retryable" {
			t.Errorf("code %s", p.Code)
		}
	})
}

// FuzzEventQuery: no query string makes a server error, and no cursor that was made up is taken.
func FuzzEventQuery(f *testing.F) {
	d := open(f, storetest.Mini(f))
	d.fill(f)
	next := d.events(f, "limit=3").Pagination.Next
	for _, seed := range []string{"", "limit=3&cursor=NEXT", "limit=3&cursor=xNEXT", "orderId=1&cursor=NEXT", "offset=2&limit=1", "from=2026-01-31T12:00:00Z&to=0000-01-01T00:00:00Z",
		"statusCode=5xx", "outcome=failed&reason=dns", "orderId=%zz", "a;b", "to=9999-12-31T23:59:59Z", "cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAA", "%", "&&=&"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		// Every process that fuzzes has Events, and so a cursor, of its own.
		query = strings.ReplaceAll(query, "NEXT", next)
		if strings.ContainsFunc(query, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '#' }) {
			t.Skip("no HTTP client sends this")
		}
		a := d.call(t, http.MethodGet, v0+"/notifications/events?"+query, "")
		values, err := url.ParseQuery(query)
		switch {
		case a.status == 422:
			a.checkProblem(t)
		case a.status != 200:
			t.Fatalf("%q: %d %s", query, a.status, a.body)
		case err != nil:
			t.Fatalf("%q cannot be read, and is answered %s", query, a.body)
		case values.Has("cursor"):
			given := values.Get("cursor")
			for _, name := range []string{"cursor", "limit", "offset"} {
				values.Del(name)
			}
			if given != next || len(values) > 0 {
				t.Fatalf("the cursor of %q is taken", query)
			}
		}
	})
}
