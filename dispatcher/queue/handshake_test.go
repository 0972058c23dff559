package queue_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/queue"
	"github.com/tidings/tidings/store"
)

// consenter answers OPTIONS as told and takes everything else; it notes methods.
type consenter struct {
	*httptest.Server
	mu      sync.Mutex
	methods []string
	asked   http.Header // of the last OPTIONS
}

func newConsenter(t *testing.T, options func(w http.ResponseWriter)) *consenter {
	t.Helper()
	c := &consenter{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		c.mu.Lock()
		c.methods = append(c.methods, r.Method)
		if r.Method == http.MethodOptions {
			c.asked = r.Header.Clone()
		}
		c.mu.Unlock()
		if r.Method == http.MethodOptions {
			options(w)
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *consenter) seen() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.methods)
}

func allow(origin string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { w.Header().Set("WebHook-Allowed-Origin", origin) }
}

func shaking(n *dispatcher.Notification) {
	n.Handshake = true
	n.Headers = []dispatcher.Header{{Name: "X-Key", Value: "key-of-erp"}}
}

func TestConsentIsAskedForOnce(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		for _, origin := range []string{"*", "TIDINGS"} { // names do not differ by case
			c := newConsenter(t, allow(origin))
			n := h.register(c.URL+"/in?token=t0ken", shaking)
			changes := []string{"a" + origin, "b" + origin}
			for _, status := range changes {
				for _, d := range h.change(status) {
					h.await(d.ID, dispatcher.StatusDelivered)
				}
			}
			if got := c.seen(); !slices.Equal(got[:3], []string{"OPTIONS", "POST", "POST"}) {
				t.Errorf("%s: %v", origin, got)
			}
			if c.asked.Get("WebHook-Request-Origin") != "tidings" || c.asked.Get("X-Key") != "key-of-erp" || c.asked.Get("User-Agent") != "Tidings/test" ||
				c.asked.Get("Webhook-Id") != "" {
				t.Errorf("asked with %v", c.asked)
			}
			state, err := h.store.Load(t.Context(), h.ref)
			if err != nil {
				t.Fatal(err)
			}
			if kept, _ := state.Notification(n.ID); kept.Consent.At.IsZero() || strings.Contains(kept.Consent.To, "t0ken") {
				t.Errorf("consent %+v", kept.Consent)
			}
			// Consent that a crash did not let us note, or that was given for another endpoint, is asked for again.
			n.Consent = dispatcher.Consent{At: h.clock.now(), To: "another endpoint"}
			if err := h.producer.Commit(t.Context(), h.ref, func(store.State) (*store.Commit, error) {
				return &store.Commit{Put: []dispatcher.Notification{n}}, nil
			}); err != nil {
				t.Fatal(err)
			}
			for _, d := range h.change("c" + origin) {
				h.await(d.ID, dispatcher.StatusDelivered)
			}
			if got := c.seen(); !slices.Equal(got[3:], []string{"OPTIONS", "POST"}) {
				t.Errorf("%s: then %v", origin, got)
			}
		}
	})
}

func TestNothingIsSentWithoutConsent(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		for name, row := range map[string]struct {
			options func(http.ResponseWriter)
			reason  dispatcher.Reason
			status  int
			detail  string
		}{
			"no header": {func(w http.ResponseWriter) { _, _ = io.WriteString(w, "key-of-erp") }, dispatcher.ReasonHandshakeRefused, 200, "without WebHook-Allowed-Origin"},
			"another":   {allow("other.example"), dispatcher.ReasonHandshakeRefused, 200, "other than tidings"},
			"a part":    {allow("tidings.example"), dispatcher.ReasonHandshakeRefused, 200, "other than tidings"},
			"not 2xx": {func(w http.ResponseWriter) { allow("*")(w); w.WriteHeader(http.StatusMethodNotAllowed) },
				dispatcher.ReasonHandshakeRefused, 405, "answered 405"},
			"redirect": {func(w http.ResponseWriter) {
				allow("*")(w)
				w.Header().Set("Location", "/")
				w.WriteHeader(http.StatusFound)
			},
				dispatcher.ReasonHandshakeRefused, 302, "answered 302"},
			"gone":      {func(w http.ResponseWriter) { w.WriteHeader(http.StatusGone) }, dispatcher.ReasonHandshakeRefused, 410, "answered 410"}, // stops nothing: it was not asked to
			"no answer": {func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, dispatcher.ReasonReset, 0, "handshake"},
		} {
			c := newConsenter(t, row.options)
			n := h.register(c.URL+"/in?token=t0ken", func(n *dispatcher.Notification) {
				shaking(n)
				n.Retry = dispatcher.Retry{MaxAttempts: 1}
			})
			d, err := h.producer.Test(t.Context(), h.ref, n.ID)
			if err != nil {
				t.Fatal(err)
			}
			held, attempts := h.await(d.ID, dispatcher.StatusFailed)
			a := attempts[0]
			if held.Reason != row.reason || a.StatusCode != row.status || a.Sent != dispatcher.SentNo || a.Method != "OPTIONS" ||
				!strings.Contains(a.Detail, row.detail) || strings.Contains(a.URL+string(a.Body)+a.Detail, "t0ken") || strings.Contains(string(a.Body), "key-of-erp") {
				t.Errorf("%s: %+v", name, a)
			}
			if slices.Contains(c.seen(), "POST") {
				t.Errorf("%s: sent all the same: %v", name, c.seen())
			}
			state, err := h.store.Load(t.Context(), h.ref)
			if err != nil {
				t.Fatal(err)
			}
			if kept, _ := state.Notification(n.ID); !kept.Consent.At.IsZero() || !kept.Stopped.IsZero() {
				t.Errorf("%s: %+v", name, kept.Consent)
			}
		}
	})
}

// One budget: what the handshake took is not there for the request.
func TestHandshakeAndRequestShareTheirTime(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		release := make(chan struct{})
		c := newConsenter(t, func(http.ResponseWriter) { <-release })
		t.Cleanup(func() { close(release) }) // before the server is closed, which waits for its handlers
		h.register(c.URL, func(n *dispatcher.Notification) {
			shaking(n)
			n.Timeout, n.Retry = dispatcher.Duration(200*time.Millisecond), dispatcher.Retry{MaxAttempts: 1}
		})
		held, attempts := h.await(h.change("completed")[0].ID, dispatcher.StatusFailed)
		if a := attempts[0]; held.Reason != dispatcher.ReasonTimeout || a.Sent != dispatcher.SentNo || a.Duration < 200*time.Millisecond || a.Duration > 5*time.Second {
			t.Errorf("%s, Event %+v", held.Reason, a)
		}
	})
}

// A worker that died between the consent and the request: the next one asks no more, or again, and sends once.
func TestKilledAfterConsent(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		c := newConsenter(t, allow("*"))
		h.register(c.URL, shaking)
		d := h.change("completed")[0]
		if claim, err := h.store.Claim(t.Context(), d.Task(), queue.Lease); err != nil || claim.State != store.Claimed {
			t.Fatal(claim.State, err)
		}
		h.clock.advance(queue.Lease + time.Second)
		h.sweep()
		h.worker(t)
		h.await(d.ID, dispatcher.StatusDelivered)
		if got := c.seen(); !slices.Equal(got, []string{"OPTIONS", "POST"}) {
			t.Errorf("%v", got)
		}
		h.wellAudited()
	})
}
