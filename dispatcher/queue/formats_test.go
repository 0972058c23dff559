package queue_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/queue"
	"github.com/tidings/tidings/dispatcher/sign"
)

// Every format goes out as its receivers expect it.
func TestEveryFormatGoesOut(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		wants := map[string]struct{ contentType, body string }{
			dispatcher.FormatNorce:       {"application/json", `"state":{"currentStatus":"completed"}`},
			dispatcher.FormatFBPI:        {"application/json", `"payload":{"order_nr":"1001"}`},
			dispatcher.FormatProbo:       {"application/json", `"status":"completed"`},
			dispatcher.FormatFaTPay:      {"application/json", `{"order":{`},
			dispatcher.FormatCloudEvents: {"application/cloudevents+json", `"specversion":"1.0"`},
			dispatcher.FormatThin:        {"application/json", `"orderId":"1001"`},
		}
		receivers := map[string]*receiver{}
		for format := range wants {
			r := newReceiver(t, nil)
			receivers[format] = r
			h.register(r.URL+"/in?key=k1", func(n *dispatcher.Notification) {
				n.Format = format
				if format == dispatcher.FormatFaTPay {
					n.Options = value(t, `{"partnerId":"p1","versionHeader":true}`)
				}
			})
		}
		for _, d := range h.change("completed") {
			h.await(d.ID, dispatcher.StatusDelivered)
		}
		for format, want := range wants {
			p := receivers[format].seen()[0]
			if !strings.HasPrefix(p.header.Get("Content-Type"), want.contentType) || !strings.Contains(p.body, want.body) {
				t.Errorf("%s: %s %s", format, p.header.Get("Content-Type"), p.body)
			}
		}
		key, err := queue.MerchantRSAKey(t.Context(), h.store, "acme")
		if err != nil {
			t.Fatal(err)
		}
		p := receivers[dispatcher.FormatFaTPay].seen()[0]
		url := receivers[dispatcher.FormatFaTPay].URL + p.path
		if err := sign.VerifyFaTPay(http.MethodPost, url, p.header, time.Now(), time.Minute, &key.PublicKey); err != nil {
			t.Error("seal of fatpay:", err)
		}
		if p.header.Get("X-Fp-Version") != "v1.0" || p.header.Get("X-Fp-Partner-Id") != "p1" {
			t.Errorf("headers %v", p.header)
		}
		other, err := queue.MerchantRSAKey(t.Context(), h.store, "other")
		if err != nil || other.Equal(key) {
			t.Error("two merchants have one key", err)
		}
	})
}

// Probo takes its status from the order: without one there is nothing to send, and the Event says so.
func TestUnrenderableOrderIsNotSent(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		r := newReceiver(t, nil)
		h.register(r.URL, func(n *dispatcher.Notification) { n.Format, n.Scope = dispatcher.FormatProbo, wholeOrder(t) })
		d := h.changeTo(`{"total":1}`)[0]
		held, attempts := h.await(d.ID, dispatcher.StatusFailed)
		if held.Reason != dispatcher.ReasonUnrenderable || len(attempts) != 1 || attempts[0].Sent != dispatcher.SentNo || len(r.seen()) != 0 ||
			!strings.Contains(attempts[0].Detail, "/state/currentStatus") {
			t.Errorf("%s, events %+v, %d requests", held.Reason, attempts, len(r.seen()))
		}
	})
}

func TestSealedWithEd25519(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		r := newReceiver(t, nil)
		secret, public := sign.GenerateKeyV1a()
		h.register(r.URL, func(n *dispatcher.Notification) {
			n.Signing, n.Secrets = dispatcher.SigningStandardWebhooksV1a, []dispatcher.SigningSecret{{Secret: dispatcher.Secret(secret)}}
		})
		d := h.change("completed")[0]
		h.await(d.ID, dispatcher.StatusDelivered)
		p := r.seen()[0]
		if err := sign.VerifyStandardWebhooks(p.header, []byte(p.body), time.Now(), time.Minute, public); err != nil {
			t.Error(err)
		}
	})
}

func TestSealedByHTTPMessageSignatures(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		r := newReceiver(t, nil)
		secret := sign.GenerateSecret()
		h.register(r.URL+"/orders?token=a%20b", func(n *dispatcher.Notification) {
			n.Signing, n.Secrets = dispatcher.SigningHTTPMessageSignatures, []dispatcher.SigningSecret{{Secret: dispatcher.Secret(secret)}}
			n.Headers = []dispatcher.Header{{Name: "Content-Type", Value: "application/vnd.acme+json"}} // covered as it is sent
		})
		d := h.change("completed")[0]
		h.await(d.ID, dispatcher.StatusDelivered)
		p := r.seen()[0]
		arrived := httptest.NewRequest(http.MethodPost, r.URL+p.path, nil)
		arrived.Header = p.header
		if err := sign.VerifyHTTPMessageSignatures(arrived, []byte(p.body), time.Now(), time.Minute, secret); err != nil {
			t.Error(err, p.header)
		}
	})
}

// A merchant learns what is missing, and no value of the query.
func TestEventsSayWhatIsMissing(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		r := newReceiver(t, nil)
		for url, want := range map[string]struct {
			reason dispatcher.Reason
			detail string
		}{
			r.URL + "/{order.customer.number}?t=s3cret-token":            {dispatcher.ReasonUnresolved, "placeholder {order.customer.number} has no value"},
			r.URL + "/?t=s3cret-token&v={order.nothing}":                 {dispatcher.ReasonUnresolved, "placeholder {order.nothing} has no value"},
			"https://127.1/?t=s3cret-token":                              {dispatcher.ReasonBadURL, "the URL's host is neither a name nor an IP address"},
			r.URL + "/{order." + strings.Repeat("x", 300) + "}?t=s3cret": {dispatcher.ReasonUnresolved, "placeholder {order.xxx"},
		} {
			n := h.register(url, func(n *dispatcher.Notification) { n.Retry = dispatcher.Retry{MaxAttempts: 1} })
			d, err := h.producer.Test(t.Context(), h.ref, n.ID)
			if err != nil {
				t.Fatal(err)
			}
			_, attempts := h.await(d.ID, dispatcher.StatusFailed)
			a := attempts[0]
			if a.Reason != want.reason || !strings.HasPrefix(a.Detail, want.detail) || strings.Contains(a.Detail, "s3cret") || len(a.Detail) > dispatcher.MaxDetailBytes {
				t.Errorf("%s: %s, %q", url, a.Reason, a.Detail)
			}
		}
		if len(r.seen()) != 0 {
			t.Errorf("%d requests", len(r.seen()))
		}
	})
}
