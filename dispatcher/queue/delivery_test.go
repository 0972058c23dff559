package queue_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/sign"
	"github.com/tidings/tidings/scope"
	"github.com/tidings/tidings/store"
)

func status(code int) func(int, http.ResponseWriter, post) {
	return func(_ int, w http.ResponseWriter, _ post) { w.WriteHeader(code) }
}

// failFirst answers 503 to the first n requests.
func failFirst(n int) func(int, http.ResponseWriter, post) {
	return func(i int, w http.ResponseWriter, _ post) {
		if i <= n {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}
}

func quick(n *dispatcher.Notification) {
	n.Retry = dispatcher.Retry{MaxAttempts: 4, Schedule: []dispatcher.Duration{dispatcher.Duration(time.Second)}}
}

func TestDeliveredSignedAndRecorded(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		r := newReceiver(t, nil)
		secret := sign.GenerateSecret()
		n := h.register(r.URL+"/hook?token=a%20b", func(n *dispatcher.Notification) {
			n.Headers = []dispatcher.Header{{Name: "X-API-Key", Value: "key-of-erp"}}
			n.Signing, n.Secrets = dispatcher.SigningStandardWebhooks, []dispatcher.SigningSecret{{Secret: dispatcher.Secret(secret)}}
		})
		owed := h.change("completed")
		if len(owed) != 1 {
			t.Fatalf("owed %d deliveries, want 1", len(owed))
		}
		held, attempts := h.await(owed[0].ID, dispatcher.StatusDelivered)
		got := r.seen()
		if len(got) != 1 || len(attempts) != 1 || held.Attempts != 1 {
			t.Fatalf("%d requests, %d events, %d attempts; want 1 of each", len(got), len(attempts), held.Attempts)
		}
		p := got[0]
		if err := sign.VerifyStandardWebhooks(p.header, []byte(p.body), time.Now(), time.Minute, secret); err != nil {
			t.Error("seal:", err)
		}
		want := map[string]string{
			"Webhook-Id": owed[0].ID, "X-Api-Key": "key-of-erp", "X-Tidings-Attempt": "1", "X-Tidings-Order": owed[0].OrderID, "X-Tidings-Order-Version": "1",
			"X-Tidings-Scope": "state.completed", "X-Merchant": "acme", "X-Channel": "web", "User-Agent": "Tidings/test",
			"Content-Type": "application/json", "X-Tidings-Event": attempts[0].ID.String(),
		}
		for name, value := range want {
			if p.header.Get(name) != value {
				t.Errorf("header %s is %q, want %q", name, p.header.Get(name), value)
			}
		}
		if parent := p.header.Get("Traceparent"); !strings.HasPrefix(parent, "00-"+owed[0].ChangeID+"-") {
			t.Errorf("traceparent %q does not carry the change", parent)
		}
		if p.path != "/hook?token=a%20b" {
			t.Errorf("called %s: the query must stay as given", p.path)
		}
		a := attempts[0]
		if a.Outcome != dispatcher.Delivered || a.Sent != dispatcher.SentYes || a.StatusCode != 200 || a.WillRetry {
			t.Errorf("event %+v", a)
		}
		if strings.Contains(a.URL, "a%20b") || strings.Contains(p.body, "key-of-erp") || !strings.Contains(p.body, n.ID) {
			t.Errorf("secret in %s, or notification missing in %s", a.URL, p.body)
		}
	})
}

func TestRetriesWithTheSameBodyAndID(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		r := newReceiver(t, failFirst(1))
		h.register(r.URL, quick)
		owed := h.change("completed")
		_, attempts := h.await(owed[0].ID, dispatcher.StatusDelivered)
		got := r.seen()
		if len(got) != 2 || len(attempts) != 2 {
			t.Fatalf("%d requests, %d events, want 2 of each", len(got), len(attempts))
		}
		if got[0].body != got[1].body || got[0].header.Get("Webhook-Id") != got[1].header.Get("Webhook-Id") {
			t.Error("the second attempt is not the first one again")
		}
		first := attempts[0]
		if first.Reason != dispatcher.ReasonStatus5xx || !first.WillRetry || first.NextAttemptAt.IsZero() {
			t.Errorf("first event %+v", first)
		}
		// Asynq cuts due times to whole seconds; a retry must not come early for that.
		if early := first.NextAttemptAt.Sub(attempts[1].At); early > 0 {
			t.Errorf("second attempt came %v early", early)
		}
	})
}

func TestRetryAfterDelaysTheNextAttempt(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		r := newReceiver(t, func(n int, w http.ResponseWriter, _ post) {
			if n == 1 {
				w.Header().Set("Retry-After", "3")
				w.WriteHeader(http.StatusTooManyRequests)
			}
		})
		h.register(r.URL, quick)
		owed := h.change("completed")
		h.await(owed[0].ID, dispatcher.StatusDelivered)
		got := r.seen()
		if gap := got[1].at.Sub(got[0].at); gap < 3*time.Second {
			t.Errorf("second attempt after %v, although the target asked for 3s", gap)
		}
	})
}

func TestGivesUp(t *testing.T) {
	cases := []struct {
		name     string
		answer   func(int, http.ResponseWriter, post)
		requests int
		reason   dispatcher.Reason
		why      string
	}{
		{"404", status(404), 3, dispatcher.ReasonStatus4xx, "a 4xx has the short ladder of three"},
		{"301", status(301), 3, dispatcher.ReasonRedirect, "redirects are not followed"},
		{"503", status(503), 4, dispatcher.ReasonStatus5xx, "the notification's own four"},
		{"abort", func(_ int, w http.ResponseWriter, _ post) {
			w.Header().Set("webhook-delivery", "abort")
			w.WriteHeader(503)
		}, 1, dispatcher.ReasonAborted, "the target said so"},
	}
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		ids := map[string]string{}
		receivers := map[string]*receiver{}
		for _, c := range cases {
			receivers[c.name] = newReceiver(t, c.answer)
			n := h.register(receivers[c.name].URL, quick)
			ids[n.ID] = c.name
		}
		owed := map[string]string{}
		for _, d := range h.change("completed") {
			owed[ids[d.NotificationID]] = d.ID
		}
		for _, c := range cases {
			held, attempts := h.await(owed[c.name], dispatcher.StatusFailed)
			if got := len(receivers[c.name].seen()); got != c.requests || len(attempts) != c.requests || held.Reason != c.reason {
				t.Errorf("%s: %d requests, %d events, reason %s; want %d and %s (%s)", c.name, got, len(attempts), held.Reason, c.requests, c.reason, c.why)
			}
			if last := attempts[len(attempts)-1]; last.WillRetry {
				t.Errorf("%s: the last event promises another attempt", c.name)
			}
		}
	})
}

func TestGoneStopsTheNotification(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		r := newReceiver(t, status(http.StatusGone))
		n := h.register(r.URL, quick)
		owed := h.change("accepted")
		held, _ := h.await(owed[0].ID, dispatcher.StatusFailed)
		if held.Reason != dispatcher.ReasonGone {
			t.Errorf("reason %s", held.Reason)
		}
		h.until(func() bool {
			state, err := h.store.Load(t.Context(), h.ref)
			if err != nil {
				t.Fatal(err)
			}
			stopped, _ := state.Notification(n.ID)
			return !stopped.Stopped.IsZero()
		}, func() string { return "the notification is not stopped" })
		if owed := h.change("completed"); len(owed) != 0 {
			t.Errorf("a stopped notification is owed %v", owed)
		}
	})
}

func TestNotSent(t *testing.T) {
	cases := []struct {
		name, url string
		reason    dispatcher.Reason
	}{
		{"placeholder without a value", "/x/{order.nothing}", dispatcher.ReasonUnresolved},
		{"blocked address", "http://10.0.0.1/", dispatcher.ReasonBlockedAddress},
	}
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		r := newReceiver(t, nil)
		want := map[string]dispatcher.Reason{}
		for _, c := range cases {
			url := c.url
			if strings.HasPrefix(url, "/") {
				url = r.URL + url
			}
			n := h.register(url, func(n *dispatcher.Notification) { n.Retry = dispatcher.Retry{MaxAttempts: 1} })
			want[n.ID] = c.reason
		}
		for _, d := range h.change("completed") {
			held, attempts := h.await(d.ID, dispatcher.StatusFailed)
			if held.Reason != want[d.NotificationID] || len(attempts) != 1 || attempts[0].Sent != dispatcher.SentNo {
				t.Errorf("reason %s, want %s; events %+v", held.Reason, want[d.NotificationID], attempts)
			}
		}
		if len(r.seen()) != 0 {
			t.Error("something was sent")
		}
	})
}

func TestPlaceholdersOfOrderAndConfiguration(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		r := newReceiver(t, nil)
		document := scope.Object(scope.Member{Name: "adapter", Value: scope.Object(
			scope.Member{Name: "internalUrl", Value: scope.String(r.URL)})})
		if _, err := h.store.PutConfiguration(t.Context(), "acme", "web", dispatcher.Configuration{AdapterID: "erp", Document: document}); err != nil {
			t.Fatal(err)
		}
		h.register("{configuration.adapter.internalUrl}/cb/{order.id}?s={order.state.currentStatus}", func(n *dispatcher.Notification) { n.AdapterID = "erp" })
		owed := h.change("com&pleted")
		h.await(owed[0].ID, dispatcher.StatusDelivered)
		if got := r.seen()[0].path; got != "/cb/1001?s=com%26pleted" {
			t.Errorf("called %s", got)
		}
	})
}

func TestExpiredIsNotSent(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		r := newReceiver(t, nil)
		h.register(r.URL, func(n *dispatcher.Notification) { n.ExpiresAfter = dispatcher.Duration(time.Minute) })
		owed := h.change("completed")
		h.clock.advance(2 * time.Minute)
		h.worker(t)
		_, attempts := h.await(owed[0].ID, dispatcher.StatusExpired)
		if len(attempts) != 1 || attempts[0].Reason != dispatcher.ReasonExpired || attempts[0].Number != 0 || len(r.seen()) != 0 {
			t.Errorf("events %+v, %d requests", attempts, len(r.seen()))
		}
	})
}

func TestLaneKeepsOrderThroughRetries(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 2)
		r := newReceiver(t, failFirst(1))
		h.register(r.URL, quick)
		want := []string{"s1", "s1"} // the first one fails once
		var last string
		for _, s := range []string{"s1", "s2", "s3", "s4", "s5"} {
			last = h.change(s)[0].ID
			if s != "s1" {
				want = append(want, s)
			}
		}
		h.await(last, dispatcher.StatusDelivered)
		if got := r.statuses(); !slices.Equal(got, want) {
			t.Errorf("received %v, want %v", got, want)
		}
	})
}

func TestLatestDropsWhatWaits(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		release := make(chan struct{})
		r := newReceiver(t, func(n int, _ http.ResponseWriter, _ post) {
			if n == 1 {
				<-release
			}
		})
		h.register(r.URL, func(n *dispatcher.Notification) { n.Ordering = dispatcher.OrderingLatest })
		h.change("s1")
		h.until(func() bool { return len(r.seen()) == 1 }, func() string { return "s1 is not sent" })
		dropped := h.change("s2")[0].ID
		last := h.change("s3")[0].ID
		_, attempts := h.await(dropped, dispatcher.StatusSuperseded)
		if len(attempts) != 1 || attempts[0].Reason != dispatcher.ReasonSuperseded {
			t.Errorf("events of the dropped one: %+v", attempts)
		}
		close(release)
		h.await(last, dispatcher.StatusDelivered)
		if got := r.statuses(); !slices.Equal(got, []string{"s1", "s3"}) {
			t.Errorf("received %v", got)
		}
	})
}

func TestUnorderedDoesNotWait(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		release := make(chan struct{})
		r := newReceiver(t, func(n int, _ http.ResponseWriter, _ post) {
			if n == 1 {
				<-release
			}
		})
		h.register(r.URL, func(n *dispatcher.Notification) { n.Ordering = dispatcher.OrderingNone })
		first := h.change("s1")[0].ID
		h.until(func() bool { return len(r.seen()) == 1 }, func() string { return "s1 is not sent" })
		second := h.change("s2")[0].ID
		h.await(second, dispatcher.StatusDelivered)
		close(release)
		h.await(first, dispatcher.StatusDelivered)
	})
}

func TestRemovedNotificationCancels(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		r := newReceiver(t, status(503))
		n := h.register(r.URL, func(n *dispatcher.Notification) { // long enough to be removed meanwhile
			n.Retry = dispatcher.Retry{MaxAttempts: 3, Schedule: []dispatcher.Duration{dispatcher.Duration(time.Hour)}}
		})
		first := h.change("s1")[0].ID
		h.await(first, dispatcher.StatusRetrying)
		second := h.change("s2")[0].ID
		h.await(second, dispatcher.StatusWaiting)
		err := h.producer.Commit(t.Context(), h.ref, func(store.State) (*store.Commit, error) {
			return &store.Commit{Remove: []string{n.ID}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{first, second} {
			_, attempts := h.await(id, dispatcher.StatusCancelled)
			if last := attempts[len(attempts)-1]; last.Reason != dispatcher.ReasonCancelled || last.Sent != dispatcher.SentNo {
				t.Errorf("last event %+v", last)
			}
		}
	})
}

func TestEchoOfSecretsIsScrubbed(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		r := newReceiver(t, func(_ int, w http.ResponseWriter, p post) {
			w.Header().Set("X-Echo", p.header.Get("Authorization"))
			w.Header().Set("Set-Cookie", "session=1234567890")
			_, _ = w.Write([]byte("you sent " + p.header.Get("Authorization")))
		})
		h.register(r.URL, func(n *dispatcher.Notification) {
			n.Headers = []dispatcher.Header{{Name: "Authorization", Value: "Bearer very-secret-token"}}
		})
		owed := h.change("completed")
		_, attempts := h.await(owed[0].ID, dispatcher.StatusDelivered)
		a := attempts[0]
		for _, text := range []string{string(a.Body), a.Header["X-Echo"], a.Header["Set-Cookie"]} {
			if !strings.Contains(text, dispatcher.Redacted) || strings.Contains(text, "secret") || strings.Contains(text, "1234567890") {
				t.Errorf("kept %q", text)
			}
		}
	})
}
