package api_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/tidings/tidings/dispatcher"
)

func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		const list, key = orders + "1/notifications", "Idempotency-Key: k1"
		body := `{"url":"https://h.example/","scope":"","headers":{"X-Key":"h3ader"}}`
		first := d.must(t, 201, http.MethodPost, list, body, "X-Channel: web", key)
		again := d.must(t, 201, http.MethodPost, list, body, "X-Channel: web", key) // not 200, as without the key
		if first.body != again.body || first.header.Get("Location") != again.header.Get("Location") ||
			first.header.Get("Content-Type") != again.header.Get("Content-Type") || again.header.Get("Idempotency-Replayed") != "true" ||
			first.header.Get("Idempotency-Replayed") != "" {
			t.Errorf("replayed\n%v %s, want\n%v %s", again.header, again.body, first.header, first.body)
		}
		secretFree(t, "a replay", again)
		if p := d.must(t, 422, http.MethodPost, list, body+" ", "X-Channel: web", key).problem(t); p.Code != "idempotency_key_reused" {
			t.Errorf("code %s", p.Code)
		}
		// Another key, another order or another merchant is another request.
		d.must(t, 200, http.MethodPost, list, body, "X-Channel: web", "Idempotency-Key: k2")
		d.must(t, 201, http.MethodPost, orders+"2/notifications", body, "X-Channel: web", key)
		d.must(t, 201, http.MethodPost, list, body, "X-Channel: web", key, "Authorization: Bearer "+globexToken, "X-Merchant: globex")
		if got := len(d.registered(t, "1")); got != 1 {
			t.Errorf("%d registered, want one", got)
		}
		// A refusal is an answer, too.
		refused := d.must(t, 422, http.MethodPost, list, `{}`, "Idempotency-Key: k3")
		if again := d.must(t, 422, http.MethodPost, list, `{}`, "Idempotency-Key: k3"); again.body != refused.body || again.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("replayed %s, want %s", again.body, refused.body)
		}
		for _, bad := range []string{strings.Repeat("k", 256), "a b", "\u00fc"} {
			d.must(t, 400, http.MethodPost, list, body, "Idempotency-Key: "+bad)
		}
		// Nothing is sent twice.
		a := d.put(t, 201, "1", `{"a":1}`)
		event := d.attempt(t, a.Deliveries[0].ID, dispatcher.Verdict{Outcome: dispatcher.Delivered}, 200)
		retry := v0 + "/notifications/events/" + event + "/retry"
		sent := d.must(t, 202, http.MethodPost, retry, `{"force":true}`, "Idempotency-Key: r1")
		d.attempt(t, a.Deliveries[0].ID, dispatcher.Verdict{Outcome: dispatcher.Delivered}, 200)
		if again := d.must(t, 202, http.MethodPost, retry, `{"force":true}`, "Idempotency-Key: r1"); again.body != sent.body {
			t.Errorf("replayed %s, want %s", again.body, sent.body)
		}
		if got := d.events(t, "deliveryId="+a.Deliveries[0].ID); len(got.Data) != 2 {
			t.Errorf("%d Events, want two", len(got.Data))
		}
		if held, err := d.store.Read(t.Context(), a.Deliveries[0].ID); err != nil || !held[0].Status.Terminal() {
			t.Errorf("the replay opened the delivery again: %+v, %v", held, err)
		}
	})
}

// An answer may tell a secret that was generated: it is for the holder of the token that asked, and nobody else.
func TestIdempotencyKeysAreTheirTokens(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		const list, key, other = orders + "1/notifications", "Idempotency-Key: k", "Authorization: Bearer " + adminToken
		secret := d.must(t, 201, http.MethodPost, list, generated, "X-Channel: web", key).signing(t).Secret
		silent := func(what string, a reply) {
			t.Helper()
			if a.header.Get("Idempotency-Replayed") != "" || secret == "" || strings.Contains(a.body, secret) {
				t.Errorf("%s: %v %s", what, a.header, a.body)
			}
		}
		silent("another token", d.must(t, 200, http.MethodPost, list, generated, "X-Channel: web", key, other))
		d.forgetAnswers(t)
		silent("after the answer was lost", d.must(t, 200, http.MethodPost, list, generated, "X-Channel: web", key, other))
		d.forgetAnswers(t)
		// What the other registers with the key takes no one's place.
		d.must(t, 201, http.MethodPost, list, unsealed, "X-Channel: web", key, other)
		if got := len(d.registered(t, "1")); got != 2 {
			t.Errorf("%d are registered, want two", got)
		}
	})
}

// Of many at once with one key, one registers; the others are told to wait, or what it was told.
func TestConcurrentIdempotentRequests(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		answers := make([]reply, 20)
		var wg sync.WaitGroup
		for i := range answers {
			wg.Go(func() {
				answers[i] = d.call(t, http.MethodPost, orders+"1/notifications", `{"url":"https://h.example/","scope":""}`, "X-Channel: web", "Idempotency-Key: k")
			})
		}
		wg.Wait()
		created := 0
		for _, a := range answers {
			switch {
			case a.status == 201 && a.header.Get("Idempotency-Replayed") == "":
				created++
			case a.status == 201:
			case a.status == 409 && a.header.Get("Retry-After") != "" && a.problem(t).Code == "idempotency_key_in_use":
			default:
				t.Errorf("%d %s", a.status, a.body)
			}
		}
		if got := len(d.registered(t, "1")); created != 1 || got != 1 {
			t.Errorf("%d did it and %d are registered, want one", created, got)
		}
	})
}

// hangUp is a client that goes away as soon as its answer begins.
type hangUp struct {
	http.ResponseWriter
	leave context.CancelFunc
}

func (h hangUp) Write(p []byte) (int, error) {
	h.leave()
	return h.ResponseWriter.Write(p)
}

// Who did not get the answer asks again: then it must be there.
func TestAnswerIsKeptForAClientThatHungUp(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		const body = `{"url":"https://h.example/","scope":""}`
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, orders+"1/notifications", strings.NewReader(body))
		for name, text := range map[string]string{"Authorization": "Bearer " + adapterToken, "X-Merchant": "acme", "X-Channel": "web", "Idempotency-Key": "k"} {
			r.Header.Set(name, text)
		}
		lost := httptest.NewRecorder()
		d.handler.ServeHTTP(hangUp{lost, cancel}, r)
		if ctx.Err() == nil || lost.Code != 201 {
			t.Fatalf("%d, and the client is still there", lost.Code)
		}
		again := d.must(t, 201, http.MethodPost, orders+"1/notifications", body, "X-Channel: web", "Idempotency-Key: k")
		if again.body != lost.Body.String() || again.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("replayed %s, want %s", again.body, lost.Body)
		}
	})
}
