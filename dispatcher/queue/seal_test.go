package queue_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/queue"
	"github.com/tidings/tidings/dispatcher/sign"
)

// A receiver that still has the older secret accepts, and one that has the new one; what is done signs no more.
func TestEverySecretThatLastsSigns(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		r := newReceiver(t, func(_ int, w http.ResponseWriter, p post) { _, _ = w.Write([]byte(p.header.Get("X-Echo"))) })
		current, older, done := sign.GenerateSecret(), sign.GenerateSecret(), sign.GenerateSecret()
		now := h.clock.now()
		h.register(r.URL, func(n *dispatcher.Notification) {
			n.Signing = dispatcher.SigningStandardWebhooks
			n.Secrets = []dispatcher.SigningSecret{{Secret: dispatcher.Secret(current)},
				{Secret: dispatcher.Secret(older), Until: now.Add(time.Hour)}, {Secret: dispatcher.Secret(done), Until: now.Add(-time.Second)}}
			n.Headers = []dispatcher.Header{{Name: "X-Echo", Value: dispatcher.Secret(older)}}
		})
		sealedBy := func(status string, want ...string) {
			t.Helper()
			_, attempts := h.await(h.change(status)[0].ID, dispatcher.StatusDelivered)
			if strings.Contains(string(attempts[0].Body), older) {
				t.Errorf("an older secret is in the Event: %s", attempts[0].Body)
			}
			p := r.seen()[len(r.seen())-1]
			if got := len(strings.Fields(p.header.Get("Webhook-Signature"))); got != len(want) {
				t.Errorf("%s: %d signatures, want %d", status, got, len(want))
			}
			for _, secret := range want {
				if err := sign.VerifyStandardWebhooks(p.header, []byte(p.body), h.clock.now(), time.Minute, secret); err != nil {
					t.Errorf("%s: %v", status, err)
				}
			}
		}
		sealedBy("accepted", current, older)
		h.clock.advance(time.Hour)
		sealedBy("completed", current)
	})
}

func TestSealedWithTheMerchantsKey(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		r := newReceiver(t, nil)
		h.register(r.URL, func(n *dispatcher.Notification) { n.Signing = dispatcher.SigningStandardWebhooksV1a })
		h.await(h.change("completed")[0].ID, dispatcher.StatusDelivered)
		key, err := queue.MerchantKeyV1a(t.Context(), h.store, "acme")
		if err != nil {
			t.Fatal(err)
		}
		public, err := sign.PublicKeyV1a(key)
		if err != nil {
			t.Fatal(err)
		}
		p := r.seen()[0]
		if err := sign.VerifyStandardWebhooks(p.header, []byte(p.body), time.Now(), time.Minute, public); err != nil {
			t.Error(err)
		}
	})
}
